/** `sbx stats`: shows what sandboxes use, once or again and again. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DaemonClient } from '../../../api/client.ts';
import type { SandboxStats } from '../../../api/sandbox-stats.ts';
import type { SandboxStatus } from '../../../api/sandbox-status.ts';
import { SbxError } from '../../../errors.ts';
import type { Run } from '../../command/command.ts';
import { endOnSignal } from '../../command/interrupt.ts';
import { daemonOf, ownSandboxes, resolveSandbox } from '../../command/project.ts';
import { statsTable, withRates } from '../../view/stats-table.ts';

type Input = Run<{ all: boolean; once: boolean; watch: boolean }, string[]>;

const REFRESH_MS = 2_000;
/** Rates are of this time when they are shown once */
const ONCE_MS = 1_000;

export async function stats(input: Input): Promise<number> {
  const { context, view, flags } = input;
  refuseContradictions(input);
  using _signals = endOnSignal();
  const client = await daemonOf(context);
  const watch = flags.watch || (!flags.once && !view.json && context.process.stdout.isTTY === true);
  let before: SandboxStats[] = [];
  for (;;) {
    const now = await readAll(client, input);
    const list = withRates(before, now);
    const text = list.length === 0 ? 'no sandboxes' : statsTable(list);
    if (watch) view.redraw(list, text);
    else if (before.length > 0 || !now.some(({ host }) => host !== null)) {
      view.result(list, text);
      return 0;
    }
    before = now;
    await sleep(watch ? REFRESH_MS : ONCE_MS);
  }
}

function refuseContradictions({ flags, args }: Input): void {
  if (flags.once && flags.watch)
    throw new SbxError('usage', '--once and --watch exclude each other', { hint: 'write one of them, or none' });
  if (flags.all && args.length > 0)
    throw new SbxError('usage', '--all and names exclude each other', { hint: 'write the names, or --all' });
}

async function readAll(client: DaemonClient, input: Input): Promise<SandboxStats[]> {
  const ids = new Set((await chosen(client, input)).map(({ id }) => id));
  const list = await Promise.all([...ids].map((id) => client.stats(id).catch(unlessGone)));
  return list.filter((one) => one !== undefined);
}

async function chosen(client: DaemonClient, { cwd, flags, args }: Input): Promise<SandboxStatus[]> {
  if (args.length > 0) return Promise.all(args.map((name) => resolveSandbox(client, cwd, name)));
  const { all, list } = await ownSandboxes(client, cwd);
  return flags.all ? all : list;
}

/** It was removed after it was listed. */
function unlessGone(error: unknown): undefined {
  if (!(error instanceof SbxError) || error.code !== 'not-found') throw error;
}
