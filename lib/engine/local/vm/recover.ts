/** Takes over what an earlier daemon left: running VMs, clones of its pool, half-removed instances, killed builds. */
import { readdirSync } from 'node:fs';
import { summaryOf } from '../../../errors.ts';
import { endAbandoned } from '../../../image/bake/bake-paths.ts';
import type { Log } from '../../../log.ts';
import { instancePaths } from '../../../paths.ts';
import type { InstanceRecord } from '../../../state/records.ts';
import type { VmDeps } from './deps.ts';
import { prepareWorkspace } from './workspaces.ts';

export interface RecoverOptions {
  /** Instances that an earlier pool left; they were not watched since */
  isPooled: (id: string) => boolean;
  endPooled: (id: string) => Promise<void>;
  log: Pick<Log, 'warn'>;
}

export async function recover(deps: VmDeps, { isPooled, endPooled, log }: RecoverOptions): Promise<void> {
  const { home, image, records } = deps;
  await Promise.all(readdirSync(home.instances).filter(isPooled).map(endPooled));
  records.sweep();
  // A daemon that cannot clean up is better than none.
  await endAbandoned(image.store, image.driver).catch((error: unknown) => {
    log.warn(`could not remove leftovers of killed builds: ${summaryOf(error)}`);
  });
  for (const record of records.list())
    await takeOver(deps, record).catch(async (error: unknown) => {
      // Its mounts are not watched, so it must not keep running. The supervisor starts it again, or reports why it cannot.
      log.warn(`${record.id}: taking over failed, ending the VM: ${summaryOf(error)}`);
      await deps.egress.close(record.id);
      await deps.driver.destroy(instancePaths(home, record.id));
    });
}

async function takeOver(deps: VmDeps, { id, applied }: InstanceRecord): Promise<void> {
  const vm = deps.driver.find(instancePaths(deps.home, id));
  if (vm === undefined || applied === null) return;
  await deps.egress.open(id, applied);
  const workspace = await prepareWorkspace(deps.home, id, applied);
  // What replaced a covered file on the host meanwhile is what is covered now.
  deps.watches.start(id, vm.pid, { ...workspace, identities: {} });
}
