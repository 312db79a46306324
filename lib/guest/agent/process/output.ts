/** A command's output on its way into the stream: one piece at a time, and known to be over or quiet. */
import type { Readable } from 'node:stream';
import type { MuxStream } from '../../protocol/mux.ts';

export interface Output {
  /** Its end was read, or reading failed, and all of it was sent */
  readonly over: boolean;
  readonly bytes: number;
  /** A piece waits for the reader's credit */
  readonly busy: boolean;
}

/** After the command has ended, a background process of its may hold its output open: quiet for this long, it is over. */
const LINGER_MS = 200;
const LOOKS = 20;
/** More than a pipe, a socket and Node hold: what comes after it is not the command's own */
const LEFT_BEHIND_BYTES = 2 * 1024 ** 2;
/** An output that ends is told after this moment, unless the command has ended as well and tells everything */
const END_AFTER_MS = 50;

/** Where output goes: a stream, or what keeps it. */
export type Sink = Pick<MuxStream, 'send' | 'end'>;

export function forward(readable: Readable, channel: number, stream: Sink): Output {
  const output = { over: false, bytes: 0, busy: false };
  // An iterator, since Node resumes a paused output by itself when the process ends.
  const pump = async () => {
    for await (const piece of readable as AsyncIterable<Buffer>) {
      output.bytes += piece.length;
      output.busy = true;
      await stream.send(channel, piece);
      output.busy = false;
    }
  };
  // A terminal whose last process has gone reads as an error.
  void pump()
    .catch(() => {})
    .then(() => {
      output.busy = false;
      output.over = true;
      setTimeout(() => stream.end(channel), END_AFTER_MS).unref();
    });
  return output;
}

/** Resolves when all that the ended command wrote was sent. Looks count beside the time: a busy machine lets time pass without reading. */
export async function drained(outputs: Output[]): Promise<void> {
  const total = () => outputs.reduce((sum, { bytes }) => sum + bytes, 0);
  const atFirst = total();
  let seen = -1;
  let since = Date.now();
  for (let looks = 0; !outputs.every(({ over }) => over); looks += 1) {
    const busy = outputs.some((output) => output.busy);
    if (busy || total() !== seen) {
      looks = 0;
      since = Date.now();
      seen = total();
    }
    if (!busy && (total() - atFirst > LEFT_BEHIND_BYTES || (looks > LOOKS && Date.now() - since >= LINGER_MS))) return;
    await new Promise((resolve) => setTimeout(resolve, looks < 4 ? 1 : 8));
  }
}
