/** Saves the memory of an instance's VM beside its disk, and ends the VM. */
import { summaryOf } from '../../../errors.ts';
import { instancePaths } from '../../../paths.ts';
import { settleCutOff } from '../suspend/cut-off.ts';
import { dropMemory, dropSaved, writeSaved } from '../suspend/saved-state.ts';
import { syncGuest } from '../suspend/sync-guest.ts';
import { attachWorkspace, suspendWorkspace } from '../workspace/workspaces.ts';
import { isFinalized } from './observe.ts';
import { endVm, type StepDeps, type StepHandler } from './step-deps.ts';

/** Cut off anywhere, either the VM is there or its memory is: see cut-off.ts. */
export const suspend: StepHandler<'suspend'> = async (deps, _step, { id, signal, onProgress }) => {
  const paths = instancePaths(deps.home, id);
  const record = deps.records.require(id);
  const vm = deps.driver.find(paths);
  // Nothing runs in one that has no identity yet.
  if (vm === undefined || !isFinalized(record, vm)) return endVm(deps, id);
  await settleCutOff(deps, record);
  // All of it was done but the end of the VM.
  if (deps.driver.find(paths) === undefined) return endVm(deps, id);
  dropSaved(paths);
  try {
    await save(deps, id, { signal, onProgress });
  } catch (error) {
    dropMemory(paths);
    await deps.driver.continue(paths).catch(() => {});
    if (record.applied !== null)
      await attachWorkspace(deps, id, { spec: record.applied }).catch((also: unknown) =>
        onProgress(`its workspace is not served: ${summaryOf(also)}`),
      );
    throw error;
  }
  await endVm(deps, id);
};

/** The guest notices the end of each connection while it runs: so it waits for the next ones when it continues. */
async function save(
  deps: StepDeps,
  id: string,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (message: string) => void },
): Promise<void> {
  const paths = instancePaths(deps.home, id);
  const { resumed, applied, target, bootFiles = null } = deps.records.require(id);
  const { cpus, memoryBytes } = resumed?.size ?? (applied ?? target).resources;
  const guest = deps.guests.get(id);
  if (guest !== undefined) await syncGuest(guest, signal);
  await deps.guests.drop(id);
  await suspendWorkspace(deps, id);
  onProgress('saving its memory');
  await deps.driver.save(paths, paths.memory, { signal });
  signal.throwIfAborted();
  await deps.records.update(id, { lostMemory: null });
  const monitor = await deps.driver.identity();
  await writeSaved(paths, {
    version: 1,
    monitor,
    size: { cpus, memoryBytes },
    bootFiles,
    at: new Date().toISOString(),
  });
}
