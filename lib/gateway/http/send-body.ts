/** Sends a request body upstream: buffered or streamed, watched or not. */
import type { Socket } from 'node:net';
import type { Meter } from '../limits/meter.ts';
import { BodyReader } from './body.ts';
import type { ByteReader } from './byte-reader.ts';
import type { Framing } from './headers.ts';
import type { InspectorDenial } from './inspector.ts';
import { writeAll } from './socket-write.ts';

export interface SentBody {
  /** Reads the client, positioned after the head */
  reader: ByteReader;
  framing: Framing;
  upstream: Socket;
  meter: Meter;
  /** The whole body, if it was read already */
  buffered?: Buffer | undefined;
  watch?: ((part: Buffer) => InspectorDenial | undefined) | undefined;
}

/** `gone`: one side disconnected. A string: malformed framing. */
export async function sendBody(way: SentBody): Promise<'complete' | 'gone' | string | InspectorDenial> {
  const { reader, framing, upstream, meter, buffered, watch } = way;
  if (buffered !== undefined) {
    await writeAll(upstream, [buffered]);
    await meter.spend(buffered.length);
    return 'complete';
  }
  // The payload is watched without chunk sizes, which could split a match.
  const body = new BodyReader(framing, { payload: watch !== undefined });
  const chunked = framing.kind === 'chunked' && watch !== undefined;
  while (!body.done) {
    const chunk = await reader.chunk();
    if (chunk === undefined) {
      upstream.destroy();
      return 'gone';
    }
    const part = body.read(chunk);
    if (typeof part === 'string') return part;
    reader.unshift(part.rest);
    for (const piece of part.out) {
      const denial = watch?.(piece);
      if (denial !== undefined) return denial;
    }
    await writeAll(upstream, chunked ? part.out.flatMap(framed) : part.out);
    await meter.spend(chunk.length);
    if (upstream.destroyed) return 'gone';
  }
  if (chunked) await writeAll(upstream, [Buffer.from('0\r\n\r\n')]);
  return 'complete';
}

function framed(piece: Buffer): Buffer[] {
  if (piece.length === 0) return [];
  return [Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')];
}
