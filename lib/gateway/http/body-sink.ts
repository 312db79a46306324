/** Writes a response body to the client, unchanged or through a transform. */
import type { Socket } from 'node:net';
import type { Transform } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { Framing } from './headers.ts';
import type { RequestHead } from './request-head.ts';
import { writeAll } from './socket-write.ts';

export interface BodySink {
  /** The response head has been written */
  readonly begun: boolean;
  /** Resolves when the sink accepts more */
  write(parts: Buffer[]): Promise<void>;
  /** Resolves when everything is written */
  end(): Promise<void>;
}

/** Framing of a body whose length is no longer known. */
export function reframed(framing: Framing, request: RequestHead): Framing {
  if (framing.kind === 'none') return framing;
  return request.version === '1.1' ? { kind: 'chunked' } : { kind: 'end' };
}

/** For framed bytes. `head` goes out with the first of them: one write for a response that arrived in one piece. */
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

/** For the bare payload. Output goes to the client at once, so events are not delayed. */
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
  // A failed transform aborts the response: untransformed bytes are never sent.
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
