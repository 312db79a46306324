/** Bounds a console's file: QEMU appends all output of a guest, which can be endless. */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';

const MAX_BYTES = 4 * 1024 ** 2;
/** Bytes kept of a console that became too long */
const KEEP_BYTES = 256 * 1024;

/**
 * Cuts the file to its end when it is too long. QEMU has it open for appending, so it continues at the new end: the file
 * must be emptied in place, never replaced. What QEMU writes between the read and the cut is lost.
 * @returns whether it was cut
 */
export function boundConsole(path: string, maxBytes = MAX_BYTES, keepBytes = KEEP_BYTES): boolean {
  const fd = openIfThere(path);
  if (fd === undefined) return false;
  try {
    const { size } = fstatSync(fd);
    if (size <= maxBytes) return false;
    const tail = Buffer.alloc(Math.min(keepBytes, size));
    const length = readSync(fd, tail, 0, tail.length, size - tail.length);
    ftruncateSync(fd, 0);
    writeSync(fd, tail, 0, length);
    return true;
  } finally {
    closeSync(fd);
  }
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDWR | constants.O_APPEND | constants.O_NOFOLLOW);
  } catch {
    return undefined;
  }
}
