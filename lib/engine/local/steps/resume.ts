/** Continues a suspended instance from its memory; where that cannot be, boots it on its own disk and says so. */
import { rmSync } from 'node:fs';
import { SbxError } from '../../../errors.ts';
import { verifyImage } from '../../../image/warm/warm-image.ts';
import { instancePaths } from '../../../paths.ts';
import type { Steps } from '../../../plan/types.ts';
import type { StepContext } from '../../engine.ts';
import { endWaiting } from '../suspend/cut-off.ts';
import { readSaved, type SavedState } from '../suspend/saved-state.ts';
import { wakeGuest } from '../suspend/wake-guest.ts';
import { ANSWER_MS } from '../vm/assign-identity.ts';
import { vmConfigOf } from '../vm/resume-clone.ts';
import { attachWorkspace } from '../workspace/workspaces.ts';
import { start } from './start.ts';
import type { StepDeps, StepHandler } from './step-deps.ts';

export const resume: StepHandler<'resume'> = async (deps, step, context) => {
  const why = await tryWake(deps, step, context);
  if (why === undefined) return;
  context.onProgress(`what ran in it is lost: ${why}; booting it from its disk`);
  await start(deps, { ...step, action: 'start' }, context);
  await deps.records.update(context.id, { lostMemory: { why, at: new Date().toISOString() } });
};

/** @returns why its memory cannot be loaded, in words; undefined: it runs */
async function tryWake(deps: StepDeps, step: Steps['resume'], context: StepContext): Promise<string | undefined> {
  const saved = readSaved(instancePaths(deps.home, context.id));
  if (saved === undefined) return 'its saved memory is gone';
  if (saved.monitor !== (await deps.driver.identity())) return 'it was suspended by another build of QEMU, or of sbx';
  // One before may have been cut off as it was served already.
  await endWaiting(deps, context.id);
  try {
    await load(deps, { ...step, saved }, context);
  } catch (error) {
    await endWaiting(deps, context.id);
    if (error instanceof SbxError && error.code === 'vm-restore-failed') return error.why ?? error.message;
    throw error;
  }
  await wake(deps, context);
  return undefined;
}

/** Up to here its memory is on the disk, and nothing ran. */
async function load(
  deps: StepDeps,
  { spec, saved }: Steps['resume'] & { saved: SavedState },
  { id, signal }: StepContext,
): Promise<void> {
  const paths = instancePaths(deps.home, id);
  const { image } = deps.records.require(id);
  if (image === null) throw new SbxError('vm-restore-failed', 'nothing is known of its image');
  await verifyImage(deps.image, image);
  const workspace = await attachWorkspace(deps, id, { spec });
  await deps.egress.open(id, spec);
  const config = vmConfigOf({ spec, image: { ...image, ...saved.bootFiles }, disk: paths.disk, workspace });
  const vm = await deps.driver.load(config, paths.memory, paths, { signal });
  signal.throwIfAborted();
  await deps.records.update(id, { resumed: { pid: vm.pid, startTime: vm.startTime, size: saved.size } });
}

/** A memory runs once: before it continues, it is no longer one to start from. */
async function wake(deps: StepDeps, { id, signal }: StepContext): Promise<void> {
  const paths = instancePaths(deps.home, id);
  rmSync(paths.suspended, { force: true });
  await deps.driver.resume(paths);
  rmSync(paths.memory, { force: true });
  await deps.records.update(id, { lostMemory: null });
  const guest = await deps.guests.connect(id, paths.agent, { fresh: false, timeoutMs: ANSWER_MS, signal });
  await wakeGuest(guest, signal);
}
