/** `sbx accept`: takes private changes of a sandbox over to the host, after a person has looked at each. */
import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import type { DaemonClient } from '../../../api/client.ts';
import type { DiffResult, SandboxStatus } from '../../../api/contract.ts';
import { SbxError } from '../../../errors.ts';
import type { Run } from '../../command/command.ts';
import { follow } from '../../command/follow.ts';
import { daemonOf, ownSandboxes, resolveSandbox } from '../../command/project.ts';
import { inOneLine, printable } from '../../view/printable.ts';

type Input = Run<{ yes: boolean; acceptProtected: boolean }, string[]>;
type Change = NonNullable<DiffResult['changes']>[number];

export async function accept(input: Input): Promise<number> {
  const { context, cwd, view } = input;
  const client = await daemonOf(context);
  const { sandbox, paths } = await wanted(client, input);
  const accepted: string[] = [];
  for (const path of paths) {
    const absolute = resolve(realpathSync(cwd), path);
    const { changes = [] } = await follow(view, `looking into ${sandbox.name}`, (signal, onEvent) =>
      client.diff(sandbox.id, { patch: false, path: absolute }, { signal, onEvent }),
    );
    const files = changes.filter(({ kind, files: below }) => kind !== 'folder' || below > 0);
    if (files.length === 0) throw nothingAt(sandbox, path);
    for (const change of files) {
      const version = change.version ?? fail(change);
      await ask(input, change);
      const target = resolve(sandbox.workspace, change.path);
      accepted.push((await client.accept(sandbox.id, { path: target, version })).accepted);
    }
  }
  view.result({ accepted }, accepted.map((path) => `took over ${inOneLine(path)}`).join('\n'));
  return 0;
}

/** The first word is a sandbox if it is the name of one here, and paths follow. */
async function wanted(
  client: DaemonClient,
  { cwd, args }: Input,
): Promise<{ sandbox: SandboxStatus; paths: string[] }> {
  const [first, ...rest] = args;
  if (first === undefined)
    throw new SbxError('usage', 'no path was given', { hint: '`sbx diff` lists what can be taken over' });
  const { own, list } = await ownSandboxes(client, cwd);
  const isName = rest.length > 0 && own !== undefined && list.some(({ name }) => name === first);
  return { sandbox: await resolveSandbox(client, cwd, isName ? first : undefined), paths: isName ? rest : [...args] };
}

/** Each by itself: the host may run it. @throws SbxError `needs-confirmation`, `cancelled` */
async function ask({ flags, view }: Input, { path, diff = '' }: Change): Promise<void> {
  if (flags.yes && flags.acceptProtected) return;
  const shown = inOneLine(path);
  const answer = await view.confirm(`${printable(diff)}\nPrograms of the host may run or obey ${shown}. Take it over?`);
  if (answer === true) return;
  if (answer === false) throw new SbxError('cancelled', `cancelled: ${shown} was not taken over`, { hint: AGAIN });
  throw new SbxError('needs-confirmation', `${shown} was not taken over`, {
    why: 'programs of the host may run or obey it, and stdin or stderr is not a terminal',
    hint: 'look at `sbx diff`, then add --yes --accept-protected',
  });
}

const AGAIN = 'run the command again when it is what you want';

function nothingAt({ name }: SandboxStatus, path: string): SbxError {
  return new SbxError('not-found', `${name} has no change of its own at ${inOneLine(path)}`, {
    hint: '`sbx diff` lists them; all other changes are on the host already',
  });
}

function fail({ path, kind }: Change): never {
  throw new SbxError('workspace', `${inOneLine(path)} cannot be taken over`, {
    why:
      kind === 'folder'
        ? 'it is a repository, or a folder that the sandbox has for itself'
        : `it is a ${kind}, or too large`,
    hint: 'push its commits to a remote, or use `sbx cp`',
  });
}
