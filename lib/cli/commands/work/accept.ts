/** `sbx accept`: takes private changes of a sandbox over to the host, after a person has looked at each. */
import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import type { DaemonClient } from '../../../api/client.ts';
import type { SandboxStatus } from '../../../api/sandbox-status.ts';
import type { DiffResult } from '../../../api/work-contract.ts';
import { SbxError } from '../../../errors.ts';
import type { Run } from '../../command/command.ts';
import { follow } from '../../command/follow.ts';
import { daemonOf, resolveSandbox } from '../../command/project.ts';
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
    ).catch(partly(accepted));
    const files = changes.filter(({ kind, files: below }) => kind !== 'folder' || below > 0);
    if (files.length === 0) partly(accepted)(nothingAt(sandbox, path));
    for (const change of files)
      accepted.push(await takeOver(client, { input, sandbox, change }).catch(partly(accepted)));
  }
  view.result({ accepted }, accepted.map((path) => `took over ${inOneLine(path)}`).join('\n'));
  return 0;
}

interface Taking {
  input: Input;
  sandbox: SandboxStatus;
  change: Change;
}

async function takeOver(client: DaemonClient, { input, sandbox, change }: Taking): Promise<string> {
  const version = change.version ?? fail(change);
  await ask(input, change);
  const path = resolve(sandbox.workspace, change.path);
  return (await client.accept(sandbox.id, { path, version })).accepted;
}

/** Says what was taken over before the failure. */
function partly(accepted: readonly string[]): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof SbxError) || accepted.length === 0) throw error;
    const { code, message, why, hint } = error;
    const done = `taken over before: ${accepted.map(inOneLine).join(', ')}; this one and what follows was not`;
    throw new SbxError(code, message, {
      why: why === undefined ? done : `${why}; ${done}`,
      ...(hint && { hint }),
      cause: error,
    });
  };
}

/** The first word is a sandbox if it names one, as for `sbx diff`, and paths follow. */
async function wanted(
  client: DaemonClient,
  { cwd, args }: Input,
): Promise<{ sandbox: SandboxStatus; paths: string[] }> {
  const [first, ...rest] = args;
  if (first === undefined)
    throw new SbxError('usage', 'no path was given', { hint: '`sbx diff` lists what can be taken over' });
  const named = rest.length === 0 ? undefined : await resolveSandbox(client, cwd, first).catch(unlessKnown);
  if (named !== undefined) return { sandbox: named, paths: rest };
  return { sandbox: await resolveSandbox(client, cwd, undefined), paths: [...args] };
}

function unlessKnown(error: unknown): undefined {
  if (!(error instanceof SbxError) || error.code !== 'not-found') throw error;
}

/** Each by itself: the host may run it. @throws SbxError `needs-confirmation`, `cancelled` */
async function ask({ flags, view }: Input, { path, diff = '' }: Change): Promise<void> {
  if (flags.yes && flags.acceptProtected) return;
  const shown = inOneLine(path);
  const answer = await view.confirm(`${printable(diff)}\nPrograms of the host may run or obey ${shown}. Take it over?`);
  if (answer === true) return;
  if (answer === false) throw new SbxError('cancelled', `cancelled: ${shown} was not taken over`, { hint: AGAIN });
  throw new SbxError('needs-confirmation', `${shown} was not taken over`, {
    why: `programs of the host may run or obey it, and ${view.json ? '--json asks no questions' : 'stdin or stderr is not a terminal'}`,
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
