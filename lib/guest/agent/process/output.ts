/** Forwards a command's output to its stream, one piece at a time, and detects when it has ended. */
import type { Readable } from 'node:stream';
import type { MuxStream } from '../../protocol/mux.ts';

export interface Output {
  /** Its end was read, or reading failed, and all output was sent */
  readonly over: boolean;
  readonly bytes: number;
  /** A piece is waiting for the reader's credit */
  readonly busy: boolean;
}

/** A background process may hold the output of an ended command open: it counts as ended after this time without output */
const LINGER_MS = 200;
const CHECKS = 20;
/** More than a pipe, a socket and Node buffer: later output is not the command's own */
const LEFT_BEHIND_BYTES = 2 * 1024 ** 2;
/** Delay of an output's end message, which is not needed when the command ends within it */
const END_AFTER_MS = 50;

/** Receiver of output: a stream, or a record. */
export type Sink = Pick<MuxStream, 'send' | 'end'>;

export function forward(readable: Readable, channel: number, stream: Sink): Output {
  const output = { over: false, bytes: 0, busy: false };
  // An iterator, since Node resumes a paused output when the process ends.
  const pump = async () => {
    for await (const piece of readable as AsyncIterable<Buffer>) {
      output.bytes += piece.length;
      output.busy = true;
      await stream.send(channel, piece);
      output.busy = false;
    }
  };
  // Reading a terminal fails when its last process has ended.
  void pump()
    .catch(() => {})
    .then(() => {
      output.busy = false;
      output.over = true;
      setTimeout(() => stream.end(channel), END_AFTER_MS).unref();
    });
  return output;
}

/** Resolves when all output of the ended command was sent. Checks count beside the time: on a busy machine time passes without reads. */
export async function drained(outputs: Output[]): Promise<void> {
  const total = () => outputs.reduce((sum, { bytes }) => sum + bytes, 0);
  const atFirst = total();
  let seen = -1;
  let since = Date.now();
  for (let checks = 0; !outputs.every(({ over }) => over); checks += 1) {
    const busy = outputs.some((output) => output.busy);
    if (busy || total() !== seen) {
      checks = 0;
      since = Date.now();
      seen = total();
    }
    if (!busy && (total() - atFirst > LEFT_BEHIND_BYTES || (checks > CHECKS && Date.now() - since >= LINGER_MS)))
      return;
    await new Promise((resolve) => setTimeout(resolve, checks < 4 ? 1 : 8));
  }
}
