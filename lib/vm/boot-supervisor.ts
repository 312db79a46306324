/** Boots a VM with a deadline and one retry; the error holds the end of the console. */
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { SbxError } from '../errors.ts';
import { GuestConnection } from '../guest/client/connection.ts';
import { within } from '../system/deadline.ts';
import { isAlive } from '../system/process-identity.ts';
import type { BootOptions, VmConfig, VmDriver, VmPaths, VmProcess } from './driver.ts';

export interface BootedVm {
  process: VmProcess;
  guest: GuestConnection;
}

export interface SupervisedBootOptions extends BootOptions {
  /** From spawning QEMU to the agent's first answer */
  deadlineMs?: number;
  /** Boots before giving up */
  attempts?: number;
}

const LOOK_MS = 100;
/** Checks of the process for each query to the monitor */
const HEALTH_LOOKS = 30;

/** Of the console, in an error */
const CONSOLE_LINES = 15;

/** A boot takes 5–10 s under emulation; a loaded host takes several times as long. */
const BOOT_DEADLINE_MS = 90_000;

/** @throws SbxError `vm-boot-failed` with the console's tail, after every attempt failed; the signal's reason once it aborts: no attempt follows. */
export async function bootSupervised(
  driver: VmDriver,
  config: VmConfig,
  paths: VmPaths,
  options: SupervisedBootOptions = {},
): Promise<BootedVm> {
  const attempts = options.attempts ?? 2;
  for (let attempt = 1; ; attempt += 1) {
    writeFileSync(paths.console, '', { mode: 0o600 });
    try {
      return await bootOnce(driver, config, paths, options);
    } catch (error) {
      await driver.destroy(paths);
      // Cancelled: the caller handles the VM next.
      options.signal?.throwIfAborted();
      const final = attempt >= attempts || (error instanceof SbxError && error.code !== 'vm-boot-failed');
      if (final) throw error;
    }
  }
}

async function bootOnce(
  driver: VmDriver,
  config: VmConfig,
  paths: VmPaths,
  options: SupervisedBootOptions,
): Promise<BootedVm> {
  const deadlineMs = options.deadlineMs ?? BOOT_DEADLINE_MS;
  using signal = within(deadlineMs, options.signal);
  const process = await driver.boot(config, paths, { ...options, signal });
  try {
    return { process, guest: await connectGuest(driver, paths, process, signal) };
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof SbxError && error.code === 'no-space') throw error;
    const died = !isAlive(process);
    throw new SbxError(
      'vm-boot-failed',
      died
        ? 'the virtual machine ended while it started'
        : `the virtual machine did not come up within ${deadlineMs / 1000} s`,
      {
        why: `the end of its console:\n${consoleTail(paths.console)}`,
        hint: 'try again; if the error persists, run `sbx doctor`',
        cause: error,
      },
    );
  }
}

/** Waits until the agent of a new VM answers. Also fails as soon as the VM's process has ended. */
async function connectGuest(
  driver: VmDriver,
  paths: VmPaths,
  process: VmProcess,
  signal: AbortSignal,
): Promise<GuestConnection> {
  const ended = new AbortController();
  const watching = (async () => {
    for (let looks = 1; !ended.signal.aborted && isAlive(process); looks += 1) {
      await sleep(LOOK_MS, undefined, { signal: ended.signal }).catch(() => {});
      if (looks % HEALTH_LOOKS === 0 && (await driver.health(paths)) === 'disk-full') ended.abort(noSpace());
    }
    ended.abort(new SbxError('vm-died', 'the virtual machine ended'));
  })();
  try {
    return await GuestConnection.connect(paths.agent, {
      fresh: true,
      signal: AbortSignal.any([signal, ended.signal]),
    });
  } finally {
    ended.abort();
    await watching;
  }
}

/** For a VM that waits for space which may never come. */
export function noSpace(): SbxError {
  return new SbxError('no-space', 'the disk of the virtual machine could not grow: no space is left on the host', {
    hint: 'free some space, for example by `sbx gc --all`, or set SBX_HOME to a larger disk',
  });
}

/** The last lines that the guest's kernel and start-up wrote. */
function consoleTail(path: string): string {
  try {
    const text = readFileSync(path, 'utf8');
    return (
      text
        .trimEnd()
        .split('\n')
        .slice(-CONSOLE_LINES)
        .map((line) => `  ${line.trimEnd()}`)
        .join('\n') || '  (nothing)'
    );
  } catch {
    return '  (nothing)';
  }
}
