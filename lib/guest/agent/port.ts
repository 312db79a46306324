/** A virtio-serial port as a pipe. It is a character device: reads block in the thread pool, and a read of nothing means that the host has gone. */
import { openSync, read, write } from 'node:fs';
import type { Pipe } from '../protocol/mux.ts';

export interface Port extends Pipe {
  run(events: { onData: (chunk: Buffer) => void; onHostGone: () => void }): void;
}

/** The port gives no more at once */
const READ_BYTES = 4096;
/** Memory for many reads: to ask for some each time costs more than the read */
const SLAB_BYTES = 64 * 1024;
/** Frames are gathered into one write up to this size */
const WRITE_BYTES = 256 * 1024;
const POLL_MS = 10;
/**
 * Reads of nothing in a row after which the host has gone. One alone may be old news: a clone is told only when it runs that the host of its
 * snapshot went, and may have answered the host of its own by then.
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

/** For ever. What comes goes to `onData`; `onHostGone` is called once for each time that the host goes. */
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
      // Whoever got it may keep it.
      used += bytes;
      onData(buffer.subarray(0, bytes));
      next();
    });
  };
  next();
}

/** One write at a time; what comes meanwhile goes into the next one. Resolves when the bytes are in the pipe. */
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

/** What cannot be written (the host has gone) is dropped: its session ends anyway. */
function writeAll(fd: number, bytes: Buffer, at: number, done: () => void): void {
  write(fd, bytes, at, bytes.length - at, null, (error, written) => {
    if (error !== null) {
      if (error.code === 'EAGAIN' || error.code === 'EINTR') setTimeout(() => writeAll(fd, bytes, at, done), 5);
      else done();
    } else if (at + written < bytes.length) writeAll(fd, bytes, at + written, done);
    else done();
  });
}
