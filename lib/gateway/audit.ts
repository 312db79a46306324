/** One JSON line for each verdict. A log that cannot be written shuts the door: `ready` then says no. */
import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';
import type { AuditRecord } from './types.ts';

export interface Audit {
  /** False when the last record could not be written; asking tries again */
  ready(): boolean;
  /** @returns whether it was written */
  write(record: AuditRecord): boolean;
  close(): void;
}

const LINE_MAX = 4_096;
const FIELD_MAX = 512;
const FILE_MAX = 8 * 1024 * 1024;

/** Appends to `path`; the file before is kept as `path.1`. */
export function openAudit(path: string): Audit {
  let fd: number | undefined;
  let size = 0;
  let broken = false;
  // Until something has been written it is not known whether anything can be.
  let proven = false;
  let closed = false;
  const open = () => {
    fd = openSync(path, 'a', 0o600);
    size = fstatSync(fd).size;
  };
  const append = (line: string): boolean => {
    if (closed) return false;
    try {
      if (fd === undefined) open();
      if (size + line.length > FILE_MAX) {
        const full = fd as number;
        // Its number may soon be that of another file.
        fd = undefined;
        closeSync(full);
        renameSync(path, `${path}.1`);
        open();
      }
      const bytes = Buffer.from(line);
      const written = writeSync(fd as number, bytes);
      size += written;
      broken = written !== bytes.length;
      proven = true;
    } catch {
      broken = true;
    }
    return !broken;
  };
  return {
    // A line feed: the record that was cut short by a full disk ends there. A blank: JSON allows it before the first record.
    ready: () => (broken ? append('\n') : proven || append(' ')),
    write: (record) => append(`${lineOf(record)}\n`),
    close() {
      closed = true;
      broken = true;
      if (fd !== undefined) closeSync(fd);
      fd = undefined;
    },
  };
}

/** JSON escapes control characters; what is too long is cut. */
export function lineOf(record: AuditRecord): string {
  const line = textOf(record);
  if (line.length <= LINE_MAX) return line;
  const { time, sandbox, verdict, reason, port } = record;
  return textOf({ time, sandbox, verdict, reason, host: record.host.slice(0, 100), port });
}

function textOf(record: AuditRecord): string {
  return JSON.stringify(record, (_key, value) => (typeof value === 'string' ? cap(value) : value)).replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function cap(text: string): string {
  return text.length <= FIELD_MAX ? text : `${text.slice(0, FIELD_MAX)}…`;
}
