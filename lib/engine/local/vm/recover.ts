/** Takes over what an earlier daemon left: running VMs, clones of its pool, half-removed instances, killed builds. */
import { existsSync, readdirSync } from 'node:fs';
import { summaryOf } from '../../../errors.ts';
import { endAbandoned } from '../../../image/bake/bake-paths.ts';
import type { Log } from '../../../log.ts';
import { instancePaths } from '../../../paths.ts';
import type { InstanceRecord } from '../../../state/records.ts';
import { removeTemporaries } from '../../../workspace/changes/temporary-names.ts';
import { removeMountStubs } from '../../../workspace/mount-stubs.ts';
import { dropUnfinished } from '../disk/snapshots.ts';
import { attachWorkspace } from '../workspace/workspaces.ts';
import type { VmDeps } from './deps.ts';

export interface RecoverOptions {
  /** Instances that an earlier pool left; they were not watched since */
  isPooled: (id: string) => boolean;
  endPooled: (id: string) => Promise<void>;
  /** Of a suspend or a resume that was cut off */
  settle: (record: InstanceRecord) => Promise<void>;
  log: Pick<Log, 'warn'>;
}

export async function recover(deps: VmDeps, { isPooled, endPooled, settle, log }: RecoverOptions): Promise<void> {
  const { home, image, records } = deps;
  await Promise.all(readdirSync(home.instances).filter(isPooled).map(endPooled));
  await deps.workspaces.sweep(records.list().map(({ id }) => instancePaths(home, id).workspace));
  records.sweep();
  for (const { id } of records.list()) dropUnfinished(instancePaths(home, id));
  await removeTemporaries(home.temporaries).catch((error: unknown) => {
    log.warn(`could not remove temporary files of a killed daemon: ${summaryOf(error)}`);
  });
  // A daemon that cannot clean up is better than none.
  await endAbandoned(image.store, image.driver).catch((error: unknown) => {
    log.warn(`could not remove leftovers of killed builds: ${summaryOf(error)}`);
  });
  for (const record of records.list())
    await takeOver({ ...deps, log, settle }, record).catch((error: unknown) => {
      // What cannot be opened stays closed to it, and a workspace server that runs serves on. What runs inside is not lost.
      log.warn(`${record.id}: taking over failed: ${summaryOf(error)}`);
    });
}

async function takeOver(deps: VmDeps & Pick<RecoverOptions, 'log' | 'settle'>, record: InstanceRecord): Promise<void> {
  const { id, applied } = record;
  await endUnserved(deps, id);
  await deps.settle(record);
  const vm = deps.driver.find(instancePaths(deps.home, id));
  if (vm === undefined || applied === null) return;
  await deps.egress.open(id, applied).catch(async (error: unknown) => {
    await deps.egress.close(id);
    throw error;
  });
  await attachWorkspace(deps, id, { spec: applied });
}

/** A VM of a build without workspace servers has its folders from mounts that are not kept up any more. Its mount stubs are removed. */
async function endUnserved({ home, driver, log }: VmDeps & Pick<RecoverOptions, 'log'>, id: string): Promise<void> {
  const paths = instancePaths(home, id);
  if (driver.find(paths) !== undefined && !existsSync(paths.workspace) && !existsSync(paths.clone)) {
    log.warn(`${id}: ending the VM of an earlier version of sbx`);
    await driver.destroy(paths);
  }
  removeMountStubs(paths.mountStubs);
}
