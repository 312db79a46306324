/**
 * A lock between processes that is free again when its holder dies. Each holder has a file of its own with the next number, which names it by
 * pid and start time; the highest number counts. The file with the highest number is never removed, so two processes that find a dead holder
 * cannot both succeed it.
 */
import { existsSync, linkSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from '../errors.ts';
import { isAlive, startTimeOf } from './process-identity.ts';

export interface LockOptions {
  signal?: AbortSignal | undefined;
  /** Called once, when another process holds it */
  onWait?: (holder: { pid: number }) => void;
}

const POLL_MS = 50;

/** Waits for the lock; dispose the result to release it. */
export async function takeLock(path: string, options: LockOptions = {}): Promise<Disposable> {
  let notified = false;
  for (;;) {
    options.signal?.throwIfAborted();
    const lock = tryLock(path);
    if (lock !== undefined) return lock;
    const holder = readHolder(path);
    if (holder !== undefined && !notified) {
      notified = true;
      options.onWait?.(holder);
    }
    await sleep(POLL_MS);
  }
}

/** Returns the lock, or undefined when a living process holds it or takes it at this moment. */
export function tryLock(path: string): Disposable | undefined {
  const last = lastNumber(path);
  const holder = readHolder(path);
  if (holder !== undefined && isAlive(holder)) return undefined;
  const own = last + 1;
  const temporary = temporaryOf(path);
  writeFileSync(temporary, JSON.stringify({ pid: process.pid, startTime: startTimeOf(process.pid) }), { mode: 0o600 });
  try {
    // A link is created atomically and never replaces a file.
    linkSync(temporary, `${path}.${own}`);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return undefined;
    throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
  if (lastNumber(path) !== own) {
    // The number was used and cleaned up since it was read.
    rmSync(`${path}.${own}`, { force: true });
    return undefined;
  }
  cleanUp(path, own);
  return { [Symbol.dispose]: () => release(path, own) };
}

/** Returns the holder, which may have died. */
export function readHolder(path: string): { pid: number; startTime: string } | undefined {
  try {
    const found = JSON.parse(readFileSync(`${path}.${lastNumber(path)}`, 'utf8')) as {
      pid?: number;
      startTime: string;
    };
    return found.pid === undefined ? undefined : { pid: found.pid, startTime: found.startTime };
  } catch {
    return undefined;
  }
}

/** The file stays, so that the numbers continue. */
function release(path: string, own: number): void {
  const temporary = temporaryOf(path);
  try {
    writeFileSync(temporary, '{}', { mode: 0o600 });
    renameSync(temporary, `${path}.${own}`);
  } catch (error) {
    // On a full disk there is no room for the new file; without its folder there is no lock.
    if (errnoOf(error) === 'ENOSPC') writeFileSync(`${path}.${own}`, '');
    else if (errnoOf(error) !== 'ENOENT') throw error;
    rmSync(temporary, { force: true });
  }
}

function lastNumber(path: string): number {
  return Math.max(0, ...numbersOf(path));
}

function numbersOf(path: string): number[] {
  const prefix = `${basename(path)}.`;
  return readdirSync(dirname(path)).flatMap((name) =>
    name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)) ? [Number(name.slice(prefix.length))] : [],
  );
}

function temporaryOf(path: string): string {
  return `${path}.new-${process.pid}-${Math.random().toString(36).slice(2)}`;
}

/** Removes the files of earlier holders, and those of processes that died while they wrote one. */
function cleanUp(path: string, own: number): void {
  for (const number of numbersOf(path)) if (number < own) rmSync(`${path}.${number}`, { force: true });
  const prefix = `${basename(path)}.new-`;
  for (const name of readdirSync(dirname(path))) {
    const pid = name.startsWith(prefix) ? /^\d+/.exec(name.slice(prefix.length))?.[0] : undefined;
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(dirname(path), name), { force: true });
  }
}
