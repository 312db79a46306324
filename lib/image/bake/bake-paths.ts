/** Paths of a build's VM in the builder's folder, and the end of a VM whose builder died. */
import { join } from 'node:path';
import type { VmDriver, VmPaths } from '../../vm/driver.ts';
import type { Store } from '../store/store.ts';

export function bakePaths(dir: string): VmPaths {
  const vm = join(dir, 'vm');
  return {
    dir: vm,
    run: join(vm, 'run'),
    qmp: join(vm, 'run', 'qmp'),
    agent: join(vm, 'run', 'agent'),
    setup: join(vm, 'run', 'setup'),
    egress: join(vm, 'egress'),
    process: join(vm, 'process'),
    console: join(vm, 'console.log'),
    monitorLog: join(vm, 'monitor.log'),
  };
}

/** Ends VMs that outlived a killed builder and removes their folders. */
export async function endAbandoned(store: Pick<Store, 'abandoned' | 'sweep'>, driver: VmDriver): Promise<void> {
  for (const dir of await store.abandoned()) await driver.destroy(bakePaths(dir));
  await store.sweep(false);
}
