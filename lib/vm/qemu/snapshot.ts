/** Takes and resumes warm snapshots: RAM is a file that QEMU maps, the device state is its migration stream. */
import { readFileSync, renameSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { SbxError } from '../../errors.ts';
import { run } from '../../system/run-tool.ts';
import type { StartOptions, VmPaths, VmProcess, WarmFiles } from '../driver.ts';
import { openMonitor } from './monitor.ts';
import { JAIL } from './process/args.ts';
import { tailOf } from './process/start-failure.ts';
import { destroyVm, endsSoon, findVm } from './process/vm-process.ts';
import type { Qmp } from './qmp.ts';

const MIGRATION_DEADLINE_MS = 120_000;
const LOOK_MS = 5;
/** Last line of the writer of the device state, in QEMU's log */
const WRITTEN = 'sbx: the device state is whole';
const NOT_WRITTEN = 'sbx: the device state could not be written';
/**
 * Behind the shell that QEMU starts: that one gets a signal as soon as QEMU has handed the last of the state over, and what is left in the
 * pipe would be lost. A writer in the background could not read it without the third descriptor.
 */
const WRITER = `exec:exec 3<&0; (cat <&3 >${JAIL.state} && echo '${WRITTEN}' || echo '${NOT_WRITTEN}') >&2 &`;
/** 10 ms each: QEMU flushes its disks */
const QUIT_TRIES = 6_000;

/** Where the device state is captured, until the snapshot is whole. */
export function captureBeside(ramFile: string): string {
  return `${ramFile}.device`;
}

export async function takeSnapshot(paths: VmPaths, into: WarmFiles, signal: AbortSignal | undefined): Promise<void> {
  const vm = findVm(paths);
  if (vm === undefined) throw new SbxError('vm-died', 'the virtual machine ended before its snapshot');
  {
    await using qmp = await openMonitor(paths, vm, { signal });
    await qmp.execute('stop');
    await leaveRamInItsFile(qmp);
    await qmp.execute('migrate', { uri: WRITER });
    const ended = await qmp.until<{ status?: string }>(
      'query-migrate',
      (answer) => answer.status === 'completed' || answer.status === 'failed',
      MIGRATION_DEADLINE_MS,
    );
    if (ended.status !== 'completed' || !(await isWritten(paths, signal))) throw notWritten(paths);
    await qmp.execute('quit').catch(() => {});
  }
  if (!(await endsSoon(vm, QUIT_TRIES)))
    throw new SbxError('vm-restore-failed', 'the snapshot could not be written', { why: 'QEMU does not end' });
  await destroyVm(paths);
  // Pages of zeros become holes. Pages the guest never touched are holes already: a fresh boot is captured, so little is freed memory.
  await run('fallocate', ['--dig-holes', into.ram], { signal });
  renameSync(captureBeside(into.ram), into.device);
}

/** The jail ends with the VM, and the writer with it: QEMU must not quit before. */
async function isWritten(paths: VmPaths, signal: AbortSignal | undefined): Promise<boolean> {
  for (const until = Date.now() + MIGRATION_DEADLINE_MS; Date.now() < until; await sleep(LOOK_MS)) {
    signal?.throwIfAborted();
    const said = readFileSync(paths.monitorLog, 'utf8');
    if (said.includes(WRITTEN)) return true;
    if (said.includes(NOT_WRITTEN)) return false;
  }
  return false;
}

function notWritten(paths: VmPaths): SbxError {
  const why = tailOf(paths.monitorLog);
  if (/No space left/i.test(why))
    return new SbxError('no-space', 'no space left for a warm snapshot', {
      why,
      hint: 'free some space, for example by `sbx gc --all`, or set SBX_HOME to a larger disk',
    });
  return new SbxError('vm-restore-failed', 'the snapshot could not be written', { why });
}

/** Loads the device state into a VM that waits for it and runs it. */
export async function resume(paths: VmPaths, vm: VmProcess, { signal }: StartOptions): Promise<void> {
  await using qmp = await openMonitor(paths, vm, { signal });
  await leaveRamInItsFile(qmp);
  await loadState(qmp);
  await qmp.execute('cont');
}

/** From the file that the jail has. The VM stays paused. */
export async function loadState(qmp: Qmp): Promise<void> {
  await qmp.execute('migrate-incoming', { uri: `exec:cat ${JAIL.state}` });
  const loaded = await qmp.until<{ status: string }>(
    'query-status',
    (answer) => answer.status !== 'inmigrate',
    MIGRATION_DEADLINE_MS,
  );
  if (loaded.status !== 'paused' && loaded.status !== 'prelaunch')
    throw new SbxError('qmp', `QEMU is ${loaded.status} after loading the device state`);
}

async function leaveRamInItsFile(qmp: Qmp): Promise<void> {
  await qmp.execute('migrate-set-capabilities', { capabilities: [{ capability: 'x-ignore-shared', state: true }] });
}
