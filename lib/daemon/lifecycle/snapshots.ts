/** Named states of a sandbox's disk: a restore takes the present one away. */
import type { SnapshotsRequest, SnapshotsResult } from '../../api/contract.ts';
import { refuseLosses } from '../../plan/loss.ts';
import type { Control } from '../control/control.ts';
import { lossesOf } from '../work/losses.ts';

/** In its turn: no start or apply runs beside it. @throws SbxError `busy`, `needs-confirmation`, `usage`, `not-found` */
export async function snapshotsIn(
  control: Control,
  id: string,
  { action, label, ...consent }: SnapshotsRequest,
): Promise<SnapshotsResult> {
  const { mutex, records, engine } = control;
  const { name, projectDir } = records.require(id);
  const work = async () => {
    if (action === 'restore') await refuseUnasked(control, id, consent);
    return { name, snapshots: await engine.snapshots(id, { action, label }) };
  };
  return mutex.take(projectDir, work);
}

/** The private layer of the workspace stays as it is. */
async function refuseUnasked(control: Control, id: string, consent: Omit<SnapshotsRequest, 'action'>): Promise<void> {
  const losses = await lossesOf(control, control.records.require(id), { ...consent, losesDisk: true });
  refuseLosses(
    losses.filter(({ kind }) => kind !== 'private-files'),
    consent,
  );
}
