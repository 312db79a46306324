/** Writes the whole memory of a VM to a file, and loads it into the next QEMU: for suspend. Warm snapshots share their memory, see snapshot.ts. */
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SbxError } from '../../errors.ts';
import type { StartOptions, VmPaths, VmProcess } from '../driver.ts';
import { openMonitor } from './monitor.ts';
import { JAIL } from './process/args.ts';
import { tailOf } from './process/start-failure.ts';
import { findVm } from './process/vm-process.ts';
import type { Qmp } from './qmp.ts';
import { loadState } from './snapshot.ts';
import { takeFile } from './take-file.ts';

const DEADLINE_MS = 300_000;
const LOOK_MS = 5;
/** Bytes a second: QEMU's own bound is 128 MiB, so that a guest that runs meanwhile has its network */
const BANDWIDTH = 100 * 1024 ** 3;
/** In the one folder of the host that the jail can write to */
const PART = 'memory';
const MOVING = ['setup', 'active', 'device', 'cancelling', 'pre-switchover'];

/**
 * Pauses the VM and writes its memory and devices to `file`, which appears when it is whole and on the disk. Pages of zeros take no room. The VM stays paused:
 * `destroy` ends it, `continueAfterSave` takes the pause back. @throws SbxError `no-space`, `vm-save-failed`: the VM runs on
 */
export async function saveMemory(paths: VmPaths, file: string, { signal }: StartOptions = {}): Promise<void> {
  const vm = findVm(paths);
  if (vm === undefined) throw new SbxError('vm-died', 'the virtual machine ended before its memory was saved');
  const part = join(paths.run, PART);
  rmSync(part, { recursive: true, force: true });
  try {
    await using qmp = await openMonitor(paths, vm, { signal });
    await qmp.execute('stop');
    await write(qmp, paths, signal);
    await takeFile(part, file);
  } catch (error) {
    rmSync(part, { recursive: true, force: true });
    await continueAfterSave(paths);
    throw error;
  }
}

async function write(qmp: Qmp, paths: VmPaths, signal: AbortSignal | undefined): Promise<void> {
  const mark = randomBytes(8).toString('hex');
  // A clone was loaded with this capability set.
  await qmp.execute('migrate-set-capabilities', { capabilities: [{ capability: 'x-ignore-shared', state: false }] });
  await qmp.execute('migrate-set-parameters', { 'max-bandwidth': BANDWIDTH });
  // In the background, as the writer of a snapshot: see snapshot.ts.
  const done = `echo 'sbx: saved ${mark}'`;
  const failed = `echo 'sbx: not saved ${mark}'`;
  const uri = `exec:exec 3<&0; (cat <&3 >${JAIL.run}/${PART} && ${done} || ${failed}) >&2 &`;
  await qmp.execute('migrate', { uri });
  const { status } = await qmp.until<{ status?: string }>(
    'query-migrate',
    (answer) => answer.status !== undefined && !MOVING.includes(answer.status),
    DEADLINE_MS,
  );
  if (status !== 'completed' || !(await isWritten(paths, mark, signal))) throw notSaved(paths);
}

async function isWritten(paths: VmPaths, mark: string, signal: AbortSignal | undefined): Promise<boolean> {
  for (const until = Date.now() + DEADLINE_MS; Date.now() < until; await sleep(LOOK_MS)) {
    signal?.throwIfAborted();
    const said = readFileSync(paths.monitorLog, 'utf8');
    if (said.includes(`sbx: saved ${mark}`)) return true;
    if (said.includes(`sbx: not saved ${mark}`)) return false;
  }
  return false;
}

function notSaved(paths: VmPaths): SbxError {
  const why = tailOf(paths.monitorLog);
  if (/No space left/i.test(why))
    return new SbxError('no-space', 'no space left for the memory of the sandbox', {
      why,
      hint: 'it runs on; free some space, for example by `sbx gc --all`, or stop it',
    });
  return new SbxError('vm-save-failed', 'the memory of the sandbox could not be saved', { why });
}

/** Of a VM that was being saved, or is saved: it runs on. No error for one that has ended. */
export async function continueAfterSave(paths: VmPaths): Promise<void> {
  const vm = findVm(paths);
  if (vm === undefined) return;
  await using qmp = await openMonitor(paths, vm);
  // Without it, QEMU would pause the guest again at the end.
  await qmp.execute('migrate_cancel');
  await qmp.until<{ status?: string }>('query-migrate', ({ status }) => !MOVING.includes(status ?? ''), DEADLINE_MS);
  await qmp.execute('cont');
}

/** Into a VM that waits for it. It stays paused. */
export async function loadMemory(paths: VmPaths, vm: VmProcess, { signal }: StartOptions): Promise<void> {
  await using qmp = await openMonitor(paths, vm, { signal });
  await qmp.execute('migrate-set-parameters', { 'max-bandwidth': BANDWIDTH });
  await loadState(qmp);
}
