/** A lock between processes that no dead holder keeps: the file names its holder by pid and start time. */
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from './errors.ts';
import { isAlive, startTimeOf } from './process.ts';

export interface LockOptions {
  signal?: AbortSignal;
  /** Called once, when somebody else holds it */
  onWait?: (holder: { pid: number }) => void;
}

const POLL_MS = 50;

/** Waits for the lock; dispose the result to give it back. */
export async function takeLock(path: string, options: LockOptions = {}): Promise<Disposable> {
  let told = false;
  for (;;) {
    options.signal?.throwIfAborted();
    const lock = tryLock(path);
    if (lock !== undefined) return lock;
    const holder = readHolder(path);
    if (holder !== undefined && !told) {
      told = true;
      options.onWait?.(holder);
    }
    await sleep(POLL_MS);
  }
}

/** The lock, or undefined when a living process holds it. */
export function tryLock(path: string): Disposable | undefined {
  const mine = JSON.stringify({ pid: process.pid, startTime: startTimeOf(process.pid) });
  const temporary = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  writeFileSync(temporary, mine, { mode: 0o600 });
  try {
    // A link is made in one step and never over another file.
    linkSync(temporary, path);
    return { [Symbol.dispose]: () => release(path, mine) };
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    const holder = readHolder(path);
    if (holder !== undefined && !isAlive(holder)) removeStale(path, holder);
    return undefined;
  } finally {
    rmSync(temporary, { force: true });
  }
}

export function readHolder(path: string): { pid: number; startTime: string } | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as { pid: number; startTime: string };
  } catch {
    return undefined;
  }
}

function release(path: string, mine: string): void {
  try {
    if (readFileSync(path, 'utf8') === mine) rmSync(path, { force: true });
  } catch {
    // Somebody removed it: nothing is held.
  }
}

/** Two waiters may both see the dead holder: only the one that still finds it there, under a lock of its own, removes it. */
function removeStale(path: string, dead: { pid: number; startTime: string }): void {
  const guard = `${path}.stale`;
  try {
    linkSync(path, guard);
  } catch {
    const owner = readHolder(guard);
    // The guard itself outlived a killed remover.
    if (owner === undefined || !isAlive(owner)) rmSync(guard, { force: true });
    return;
  }
  const now = readHolder(path);
  if (now !== undefined && now.pid === dead.pid && now.startTime === dead.startTime) rmSync(path, { force: true });
  rmSync(guard, { force: true });
}
