/** The daemon's log: JSON lines, written by pino behind one interface that is passed to what logs. */
import { renameSync, statSync } from 'node:fs';
import { pino } from 'pino';

export interface Log {
  info(message: string): void;
  warn(message: string): void;
  /** With the stack of the error */
  error(message: string, error: unknown): void;
}

const SIZE_MAX = 4 * 1024 * 1024;

/** Appends to `file`; one that is too large is kept as `file.1` first. */
export function openLog(file: string): Log {
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > SIZE_MAX) renameSync(file, `${file}.1`);
  const log = pino(
    { base: { pid: process.pid } },
    pino.destination({ dest: file, sync: true, append: true, mode: 0o600 }),
  );
  return {
    info: (message) => log.info(message),
    warn: (message) => log.warn(message),
    error: (message, err) => log.error({ err }, message),
  };
}
