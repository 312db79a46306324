/** Buffers a small request body before the decision and the dial. */
import type { ByteReader } from '../http/byte-reader.ts';
import { listOf } from '../http/headers.ts';
import { writeAll } from '../http/socket-write.ts';
import type { Request } from './request.ts';
import { inTime } from './request-loop.ts';

/** Undefined: no body, too large, or of unknown length. @throws if it does not arrive in time */
export async function bufferBody({ head, reader, client, state }: Request, most: number): Promise<Buffer | undefined> {
  if (head.body.kind !== 'length' || head.body.bytes === 0 || head.body.bytes > most) return undefined;
  // The client waits for this response, and the upstream is not dialled yet.
  if (head.version === '1.1' && waitsForContinue(head.headers))
    await writeAll(client, [Buffer.from('HTTP/1.1 100 Continue\r\n\r\n')]);
  return readBytesOf(reader, head.body.bytes, state.limits.headMs);
}

export function waitsForContinue(headers: Request['head']['headers']): boolean {
  return listOf(headers, 'expect').includes('100-continue');
}

async function readBytesOf(reader: ByteReader, bytes: number, ms: number): Promise<Buffer> {
  while (reader.buffered.length < bytes)
    if (!(await inTime(reader.more(), ms))) throw new Error('the request body did not arrive in time');
  const body = Buffer.from(reader.buffered.subarray(0, bytes));
  reader.consume(bytes);
  return body;
}
