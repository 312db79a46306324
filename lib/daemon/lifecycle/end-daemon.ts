/** Refuses to end the daemon while clients work through it. The VMs and the sessions in them continue without it. */

import { SbxError } from '../../errors.ts';
import type { Consent } from '../../plan/loss.ts';
import { runsThroughDaemon } from '../activity/what-runs.ts';
import type { Control } from '../control/control.ts';

type Facts = Pick<Control, 'records' | 'activity' | 'mutex'>;

/** @throws SbxError `needs-confirmation` unless the user has confirmed that it ends. */
export async function refuseCutOff(facts: Facts, { confirmed = false }: Consent): Promise<void> {
  const uses = confirmed ? [] : await usesOf(facts);
  if (uses.length === 0) return;
  throw new SbxError('needs-confirmation', 'the sbx daemon is in use', {
    why: `its end would cut off ${uses.join('; ')}`,
    hint: 'wait until it is done, or run `sbx daemon stop --yes`',
  });
}

async function usesOf({ records, activity, mutex }: Facts): Promise<string[]> {
  const runs = await Promise.all(
    records.list().map(async (record) => ({ record, text: await runsThroughDaemon(activity, record) })),
  );
  return [
    ...runs.flatMap(({ record, text }) => (text === undefined ? [] : [`${record.name}: ${text}`])),
    ...mutex.busy().map((dir) => `a request for the project ${dir}`),
  ];
}
