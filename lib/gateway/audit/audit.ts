/** Writes one JSON line for each verdict; a request without a written record must not be sent. */
import { closeSync, constants, fstatSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import type { AuditRecord } from '../policy/types.ts';

export interface Audit {
  /** False if the last write failed; each call retries */
  ready(): boolean;
  /** @returns whether it was written */
  write(record: AuditRecord): boolean;
  close(): void;
}

/** Suffix of the rotated file */
export const ROTATED = '.1';

const LINE_MAX = 4_096;
const FIELD_MAX = 512;
const FOREIGN = /[\u007f-\uffff]/;
const FILE_MAX = 8 * 1024 * 1024;
/** Interval for checking whether the file was moved or deleted */
const LOOK_MS = 1_000;
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;

/** Appends to `path`, at most `fileMax` bytes; keeps one rotated file, `path.1`. Unbuffered. */
export function openAudit(path: string, fileMax = FILE_MAX): Audit {
  let file: { fd: number; size: number; looked: number } | undefined;
  let state: 'good' | 'broken' | 'closed' = 'good';
  const shut = () => {
    if (file !== undefined) closeSync(file.fd);
    file = undefined;
  };
  const append = (line: string): boolean => {
    if (state === 'closed') return false;
    try {
      if (file !== undefined && isMoved(path, file)) shut();
      file ??= openLog(path);
      if (file.size > 0 && file.size + line.length > fileMax) {
        shut();
        renameSync(path, `${path}${ROTATED}`);
        file = openLog(path);
      }
      const written = writeSync(file.fd, line);
      file.size += written;
      state = written === line.length ? 'good' : 'broken';
    } catch {
      state = 'broken';
    }
    return state === 'good';
  };
  return {
    // A bare line feed terminates a record that a full disk truncated.
    ready: () => state === 'good' || append('\n'),
    write: (record) => append(`${lineOf(record)}\n`),
    close() {
      state = 'closed';
      shut();
    },
  };
}

function openLog(path: string): { fd: number; size: number; looked: number } {
  const fd = openSync(path, FLAGS, 0o600);
  return { fd, size: fstatSync(fd).size, looked: Date.now() };
}

/** Records must not be appended to a deleted or moved file. */
function isMoved(path: string, file: { fd: number; looked: number }): boolean {
  const now = Date.now();
  if (now - file.looked < LOOK_MS) return false;
  file.looked = now;
  const there = statSync(path, { throwIfNoEntry: false });
  const here = fstatSync(file.fd);
  return there?.ino !== here.ino || there.dev !== here.dev;
}

/** One ASCII line of at most 4 KiB: escapes control and non-ASCII characters, truncates long values. */
export function lineOf(record: AuditRecord): string {
  // The common case: no value can be too long, all is ASCII.
  const plain = JSON.stringify(record);
  if (plain.length <= FIELD_MAX && !FOREIGN.test(plain)) return plain;
  const line = ascii(Object.fromEntries(Object.entries(record).map(([key, value]) => [key, capped(value)])));
  if (line.length < LINE_MAX) return line;
  const { time, sandbox, verdict, reason, port } = record;
  return ascii({ time, sandbox: sandbox.slice(0, 64), verdict, reason, host: record.host.slice(0, 253), port });
}

function capped(value: unknown): unknown {
  if (typeof value === 'string') return value.length <= FIELD_MAX ? value : `${value.slice(0, FIELD_MAX)}…`;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, capped(inner)]));
}

function ascii(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    new RegExp(FOREIGN, 'g'),
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
