/** Runs a verb on one sandbox: resolves it, asks if needed, follows the work. */
import type { DaemonClient, StreamOptions } from '../../../api/client.ts';
import type { Confirmation, SandboxStatus } from '../../../api/contract.ts';
import type { Run } from '../../command/command.ts';
import { confirm, confirmed } from '../../command/confirm.ts';
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
  const asking = { view: input.view, yes: input.flags.yes };
  if (question !== undefined) {
    const lost = input.flags.yes ? '' : await lossesOf(client, [sandbox]);
    await confirm(asking, `${question} ${sandbox.name}${lost}?`);
  }
  const after = question === undefined ? await confirmed(asking, run) : await run({ confirmed: true });
  input.view.result(after, `${after.name}: ${after.state}`);
  return 0;
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
