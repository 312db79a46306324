/** A virtio-serial port as a pipe. It is a character device: reads block in the thread pool, and an empty read means that no host is connected. */
import { openSync, read, write } from 'node:fs';
import type { Pipe } from '../protocol/mux.ts';

export interface Port extends Pipe {
  run(events: { onData: (chunk: Buffer) => void; onHostGone: () => void }): void;
}

/** Most bytes that one read of the port returns */
const READ_BYTES = 4096;
/** Memory shared by many reads: an allocation for each costs more than the read */
const SLAB_BYTES = 64 * 1024;
/** Frames are batched into one write up to this size */
const WRITE_BYTES = 256 * 1024;
const POLL_MS = 10;
/**
 * Empty reads in a row after which the host counts as disconnected. A single one may be outdated: a clone sees the disconnect of its
 * snapshot's host only once it runs, when its own host may be connected already.
 */
const GONE_AFTER = 10;

export function openPort(path: string): Port {
  const fd = openSync(path, 'r+');
  return {
    write: createWriter(fd),
    run: (events) => listen((buffer, done) => read(fd, buffer, 0, buffer.length, null, done), events),
  };
}

type Read = (buffer: Buffer, done: (error: Error | null, bytes: number) => void) => void;

/** Reads without end. `onHostGone` is called once for each disconnect of the host. */
export function listen(readInto: Read, { onData, onHostGone }: Parameters<Port['run']>[0]): void {
  let empty = 0;
  let slab = Buffer.allocUnsafe(SLAB_BYTES);
  let used = 0;
  const next = () => {
    if (used + READ_BYTES > SLAB_BYTES) {
      slab = Buffer.allocUnsafe(SLAB_BYTES);
      used = 0;
    }
    const buffer = slab.subarray(used, used + READ_BYTES);
    readInto(buffer, (error, bytes) => {
      if (error !== null || bytes === 0) {
        empty += 1;
        if (empty === GONE_AFTER) onHostGone();
        setTimeout(next, POLL_MS);
        return;
      }
      empty = 0;
      // Not overwritten: the receiver may keep these bytes.
      used += bytes;
      onData(buffer.subarray(0, bytes));
      next();
    });
  };
  next();
}

/** Runs one write at a time; frames that arrive meanwhile are batched into the next. Resolves when the bytes are in the pipe. */
function createWriter(fd: number): (frame: Buffer) => Promise<void> {
  const queue: { frame: Buffer; done: () => void }[] = [];
  let busy = false;
  const flush = () => {
    if (busy || queue.length === 0) return;
    busy = true;
    const batch: typeof queue = [];
    for (let size = 0; queue.length > 0 && size < WRITE_BYTES; ) {
      const item = queue.shift();
      if (item === undefined) break;
      size += item.frame.length;
      batch.push(item);
    }
    const bytes =
      batch.length === 1 && batch[0] !== undefined ? batch[0].frame : Buffer.concat(batch.map((item) => item.frame));
    writeAll(fd, bytes, 0, () => {
      busy = false;
      for (const item of batch) item.done();
      flush();
    });
  };
  return (frame) =>
    new Promise((resolve) => {
      queue.push({ frame, done: resolve });
      flush();
    });
}

/** Drops bytes that cannot be written (no host is connected): their session ends anyway. */
function writeAll(fd: number, bytes: Buffer, at: number, done: () => void): void {
  write(fd, bytes, at, bytes.length - at, null, (error, written) => {
    if (error !== null) {
      if (error.code === 'EAGAIN' || error.code === 'EINTR') setTimeout(() => writeAll(fd, bytes, at, done), 5);
      else done();
    } else if (at + written < bytes.length) writeAll(fd, bytes, at + written, done);
    else done();
  });
}
