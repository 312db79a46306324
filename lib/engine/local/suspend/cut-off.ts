/** Settles a suspend or a resume that a killed daemon left half-done. */
import { rmSync } from 'node:fs';
import { instancePaths } from '../../../paths.ts';
import type { InstanceRecord } from '../../../state/records.ts';
import type { VmDeps } from '../vm/deps.ts';
import { detachWorkspace, suspendWorkspace } from '../workspace/workspaces.ts';
import { readSaved } from './saved-state.ts';

/**
 * With a memory that is whole, the VM has run nothing since: it ends, and the memory stays. Without one, the VM is all that there is: it continues.
 * Either way the plan of its desired state continues from there.
 */
export async function settleCutOff(deps: VmDeps, { id, resumed }: InstanceRecord): Promise<void> {
  const paths = instancePaths(deps.home, id);
  const vm = deps.driver.find(paths);
  const saved = readSaved(paths);
  if (vm === undefined) {
    if (saved === undefined) rmSync(paths.memory, { force: true });
    return;
  }
  if (saved !== undefined) return endWaiting(deps, id);
  const isOwn = resumed?.pid === vm.pid && resumed.startTime === vm.startTime;
  if (isOwn && (await deps.driver.health(paths)) === 'paused') await deps.driver.continue(paths);
}

/** Of a VM that has not continued yet: what it has open goes back beside its memory. */
export async function endWaiting(deps: VmDeps, id: string): Promise<void> {
  await deps.guests.drop(id);
  await deps.driver.destroy(instancePaths(deps.home, id));
  await suspendWorkspace(deps, id, { isWaiting: true });
  await detachWorkspace(deps, id);
}
