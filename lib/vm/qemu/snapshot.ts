/** Warm snapshots: RAM is a file that QEMU maps, the device state goes through its migration. */
import { renameSync } from 'node:fs';
import { SbxError } from '../../errors.ts';
import { run } from '../../process.ts';
import type { StartOptions, VmPlaces, VmProcess, WarmFiles } from '../driver.ts';
import { JAIL } from './args.ts';
import { openMonitor } from './monitor.ts';
import type { Qmp } from './qmp.ts';
import { tailOf } from './start-failure.ts';
import { destroyVm, endsSoon, findVm } from './vm-process.ts';

const MIGRATION_DEADLINE_MS = 120_000;
/** Of 10 ms */
const QUIT_TRIES = 6_000;

/** Where the device state is captured, until the snapshot is whole. */
export function captureBeside(ramFile: string): string {
  return `${ramFile}.device`;
}

export async function takeSnapshot(places: VmPlaces, into: WarmFiles, signal: AbortSignal | undefined): Promise<void> {
  const vm = findVm(places);
  if (vm === undefined) throw new SbxError('vm-died', 'the virtual machine ended before its snapshot');
  {
    await using qmp = await openMonitor(places, vm, { signal });
    await qmp.execute('stop');
    await leaveRamInItsFile(qmp);
    await qmp.execute('migrate', { uri: `exec:cat >${JAIL.state}` });
    const ended = await qmp.until<{ status?: string }>(
      'query-migrate',
      (answer) => answer.status === 'completed' || answer.status === 'failed',
      MIGRATION_DEADLINE_MS,
    );
    if (ended.status !== 'completed')
      throw new SbxError('vm-restore-failed', 'the snapshot could not be written', { why: tailOf(places.monitorLog) });
    await qmp.execute('quit').catch(() => {});
  }
  // By itself: it waits for the program that writes its device state, which a signal would cut off.
  if (!(await endsSoon(vm, QUIT_TRIES)))
    throw new SbxError('vm-restore-failed', 'the snapshot could not be written', { why: 'QEMU does not end' });
  await destroyVm(places);
  // Pages of zeros become holes. Pages the guest never touched are holes already: a fresh boot is captured, so little is freed memory.
  await run('fallocate', ['--dig-holes', into.ram], { signal });
  renameSync(captureBeside(into.ram), into.device);
}

/** Loads the device state into a VM that waits for it, and lets it run. What is to be looked at before is looked at while it loads. */
export async function resume(places: VmPlaces, vm: VmProcess, { signal, beforeRun }: StartOptions): Promise<void> {
  await using qmp = await openMonitor(places, vm, { signal });
  const loading = Promise.all([
    leaveRamInItsFile(qmp),
    qmp.execute('migrate-incoming', { uri: `exec:cat ${JAIL.state}` }),
  ]);
  await Promise.all([loading, beforeRun?.(vm)]);
  const loaded = await qmp.until<{ status: string }>(
    'query-status',
    (answer) => answer.status !== 'inmigrate',
    MIGRATION_DEADLINE_MS,
  );
  if (loaded.status !== 'paused' && loaded.status !== 'prelaunch')
    throw new SbxError('qmp', `QEMU is ${loaded.status} after loading the device state`);
  await qmp.execute('cont');
}

async function leaveRamInItsFile(qmp: Qmp): Promise<void> {
  await qmp.execute('migrate-set-capabilities', { capabilities: [{ capability: 'x-ignore-shared', state: true }] });
}
