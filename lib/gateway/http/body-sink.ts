/** Where the body of an answer goes: as it is, or through what changes it. */
import type { Socket } from 'node:net';
import type { Transform } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { Framing } from './headers.ts';
import type { RequestHead } from './request-head.ts';
import { writeAll } from './socket-write.ts';

export interface BodySink {
  /** The head of the answer is on its way */
  readonly begun: boolean;
  /** Resolves when more may come */
  write(parts: Buffer[]): Promise<void>;
  /** Resolves when all has gone out */
  end(): Promise<void>;
}

/** Of a body whose length nobody knows any more. */
export function reframed(framing: Framing, request: RequestHead): Framing {
  if (framing.kind === 'none') return framing;
  return request.version === '1.1' ? { kind: 'chunked' } : { kind: 'end' };
}

/** For bytes that are framed already. `head` goes out with the first of them: one write for an answer that came in one piece. */
export function plainSink(client: Socket, head: Buffer): BodySink {
  let before = [head];
  return {
    get begun() {
      return before.length === 0;
    },
    write(parts) {
      const all = [...before, ...parts];
      before = [];
      return writeAll(client, all);
    },
    end: async () => {},
  };
}

/** For the payload alone. What comes out goes to the client at once: events are not held back. */
export function transformSink(client: Socket, change: Transform, framing: Framing): BodySink {
  const framed = (chunk: Buffer) =>
    framing.kind === 'chunked'
      ? [Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]
      : [chunk];
  let writing = Promise.resolve();
  change.on('data', (chunk: Buffer) => {
    if (chunk.length === 0 || framing.kind === 'none') return;
    change.pause();
    writing = writeAll(client, framed(chunk)).then(() => void change.resume());
  });
  // What breaks the change breaks the answer: unchanged bytes never go out.
  change.on('error', () => client.destroy());
  const onClose = () => void change.destroy();
  client.once('close', onClose);
  return {
    begun: true,
    async write(parts) {
      for (const part of parts) {
        if (change.destroyed) return;
        if (!change.write(part)) await drained(change);
      }
    },
    async end() {
      change.end();
      await finished(change).catch(() => {});
      client.off('close', onClose);
      await writing;
      if (framing.kind === 'chunked' && !change.errored) await writeAll(client, [Buffer.from('0\r\n\r\n')]);
    },
  };
}

function drained(change: Transform): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      change.off('drain', done).off('close', done);
      resolve();
    };
    change.on('drain', done).on('close', done);
  });
}
