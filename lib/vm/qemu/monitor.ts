/** Opens the monitor of a running VM, queries its health and continues it. */
import { isAlive } from '../../system/process-identity.ts';
import type { VmHealth, VmPaths, VmProcess } from '../driver.ts';
import { findVm } from './process/vm-process.ts';
import { Qmp } from './qmp.ts';

const HEALTH_DEADLINE_MS = 2_000;
const MONITOR_DEADLINE_MS = 20_000;

export async function openMonitor(
  paths: VmPaths,
  vm: VmProcess,
  options: { deadlineMs?: number; signal?: AbortSignal | undefined } = {},
): Promise<Qmp> {
  return Qmp.open(paths.qmp, { deadlineMs: MONITOR_DEADLINE_MS, ...options, alive: () => isAlive(vm) });
}

export async function health(paths: VmPaths): Promise<VmHealth> {
  const vm = findVm(paths);
  if (vm === undefined) return 'unknown';
  try {
    await using qmp = await openMonitor(paths, vm, { deadlineMs: HEALTH_DEADLINE_MS });
    const { status } = (await qmp.execute('query-status')) as { status: string };
    if (status === 'io-error') return 'disk-full';
    return status === 'running' ? 'running' : 'paused';
  } catch {
    return 'unknown';
  }
}

export async function continueVm(paths: VmPaths): Promise<void> {
  const vm = findVm(paths);
  if (vm === undefined) return;
  await using qmp = await openMonitor(paths, vm);
  await qmp.execute('cont');
}
