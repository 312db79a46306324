/** Runs a verb on one sandbox: resolves it, asks if needed, follows the work. */
import type { DaemonClient, StreamOptions } from '../../../api/client.ts';
import type { SandboxStatus } from '../../../api/contract.ts';
import { SbxError } from '../../../errors.ts';
import type { Run } from '../../command/command.ts';
import { follow } from '../../command/follow.ts';
import { daemonOf, resolveSandbox } from '../../command/project.ts';
import { inOneLine } from '../../view/printable.ts';

export type StateInput = Run<{ yes: boolean }, [string?]>;

interface Change {
  /** Shown with the name while it runs: "stopping" */
  doing: string;
  /** Asked first, with the name behind it; undefined: nothing is lost */
  question?: string;
  work: (client: DaemonClient, id: string, options: StreamOptions) => Promise<SandboxStatus>;
}

export async function changeState(input: StateInput, { doing, question, work }: Change): Promise<number> {
  const client = await daemonOf(input.context);
  const sandbox = await resolveSandbox(client, input.cwd, input.args[0]);
  if (question !== undefined) {
    const lost = input.flags.yes ? '' : await privateWorkOf(client, [sandbox]);
    await confirm(input, `${question} ${sandbox.name}${lost}?`);
  }
  const after = await follow(input.view, `${doing} ${sandbox.name}`, (signal, onEvent) =>
    work(client, sandbox.id, { signal, onEvent }),
  );
  input.view.result(after, `${after.name}: ${after.state}`);
  return 0;
}

/** For a question before it is lost; empty: there is none. */
export async function privateWorkOf(client: DaemonClient, sandboxes: Pick<SandboxStatus, 'id'>[]): Promise<string> {
  const all = await Promise.all(sandboxes.map(({ id }) => client.inspect(id)));
  const lost = all.flatMap(({ name, privateWork }) => (privateWork === null ? [] : [`${name}: ${privateWork}`]));
  return lost.length === 0 ? '' : inOneLine(`, and what is nowhere else (${lost.join('; ')})`);
}

/** @throws SbxError `needs-confirmation`, `cancelled` */
export async function confirm(
  { flags, view }: Run<{ yes: boolean }, readonly unknown[]>,
  question: string,
): Promise<void> {
  if (flags.yes) return;
  const answer = await view.confirm(question);
  if (answer === true) return;
  if (answer === false) throw new SbxError('cancelled', 'cancelled: nothing was changed');
  throw new SbxError('needs-confirmation', 'confirmation required', {
    why: view.json ? '--json asks no questions' : 'stdin or stderr is not a terminal',
    hint: 'add --yes',
  });
}
