/** Runs a verb on one sandbox: resolves it, asks if needed, follows the work. */
import type { DaemonClient, StreamOptions } from '../../../api/client.ts';
import type { Confirmation, SandboxStatus } from '../../../api/contract.ts';
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
  work: (
    client: DaemonClient,
    sandbox: { id: string } & Confirmation,
    options: StreamOptions,
  ) => Promise<SandboxStatus>;
}

type Follow = (confirmation: Confirmation) => Promise<SandboxStatus>;

export async function changeState(input: StateInput, { doing, question, work }: Change): Promise<number> {
  const client = await daemonOf(input.context);
  const sandbox = await resolveSandbox(client, input.cwd, input.args[0]);
  const run: Follow = (confirmation) =>
    follow(input.view, `${doing} ${sandbox.name}`, (signal, onEvent) =>
      work(client, { id: sandbox.id, ...confirmation }, { signal, onEvent }),
    );
  if (question !== undefined) {
    const lost = input.flags.yes ? '' : await lossesOf(client, [sandbox]);
    await confirm(input, `${question} ${sandbox.name}${lost}?`);
  }
  const after =
    question !== undefined || input.flags.yes ? await run({ confirmed: true }) : await askIfInUse(input, run);
  input.view.result(after, `${after.name}: ${after.state}`);
  return 0;
}

/** Asks about what the daemon refuses to end unasked. @throws SbxError `needs-confirmation`, `cancelled` */
async function askIfInUse(input: StateInput, run: Follow): Promise<SandboxStatus> {
  try {
    return await run({});
  } catch (error) {
    if (!(error instanceof SbxError) || error.code !== 'needs-confirmation' || !input.view.asks) throw error;
    await confirm(input, `${error.message}: ${inOneLine(error.why ?? '')}. Continue?`);
    return run({ confirmed: true });
  }
}

/** For a question before it is lost; empty: nothing is. */
export async function lossesOf(client: DaemonClient, sandboxes: Pick<SandboxStatus, 'id'>[]): Promise<string> {
  const all = await Promise.all(sandboxes.map(({ id }) => client.inspect(id)));
  const named = (key: 'inUse' | 'privateWork') =>
    all.flatMap((one) => (one[key] === null ? [] : [`${one.name}: ${one[key]}`])).join('; ');
  const [ends, lost] = [named('inUse'), named('privateWork')];
  return inOneLine(
    `${ends === '' ? '' : `, ending what runs (${ends})`}${lost === '' ? '' : `, and what is nowhere else (${lost})`}`,
  );
}

/** @throws SbxError `needs-confirmation`, `cancelled` */
export async function confirm(
  { flags, view }: Run<{ yes: boolean }, readonly unknown[]>,
  question: string,
): Promise<void> {
  if (flags.yes) return;
  const answer = await view.confirm(question);
  if (answer === true) return;
  if (answer === false)
    throw new SbxError('cancelled', 'cancelled: nothing was changed', {
      hint: 'run the command again to be asked again',
    });
  throw new SbxError('needs-confirmation', 'confirmation required', {
    why: view.json ? '--json asks no questions' : 'stdin or stderr is not a terminal',
    hint: 'add --yes',
  });
}
