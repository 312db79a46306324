/** Runs the request inspector and validates what it returns. */

import type { ByteReader } from '../http/byte-reader.ts';
import { endToEnd, type Framing, type Header, listOf, TOKEN } from '../http/headers.ts';
import type { InspectorDenial, Passing } from '../http/inspector.ts';
import type { RequestHead } from '../http/request-head.ts';
import { writeAll } from '../http/socket-write.ts';
import type { Denial } from './denial.ts';
import { type ListenerState, writeRecord } from './listener-state.ts';
import { aboutOf, type Request } from './request.ts';
import { inTime } from './request-loop.ts';

/** An inspected request, as it is forwarded. */
export interface Inspected {
  headers: Header[];
  /** The whole body, if it was buffered */
  buffered?: Buffer | undefined;
  watch?: Passing['watch'];
}

/** Returns the request to forward, or a recorded denial. `secure`: inside TLS. */
export async function inspect(request: Request, secure: boolean): Promise<Inspected | { denial: Denial }> {
  const { state, head } = request;
  const headers = withoutConnection(state, head.headers).filter(([name]) => name.toLowerCase() !== 'host');
  if (state.inspector === undefined) return { headers };
  const { host, port } = head.endpoint;
  const message = { method: head.method, host, port, secure, target: head.target, headers };
  try {
    const buffered = await bufferBody(request, state.inspector.bodyMax ?? 0);
    const answer = await state.inspector.request(buffered === undefined ? message : { ...message, body: buffered });
    if ('denial' in answer) return { denial: denialByInspector(request, answer.denial) };
    request.detail = answer.detail;
    return { ...passedOn(answer, buffered, waitsForContinue(head.headers)), watch: answer.watch };
  } catch {
    // The error may contain a secret, so it is not shown.
    const reason = 'the request could not be inspected';
    const text = `sbx: the request to ${host} could not be inspected, so it was not sent`;
    return { denial: denialByInspector(request, { status: 502, text, reason }) };
  }
}

/** Undefined: no body, too large, or of unknown length. @throws if it does not arrive in time */
async function bufferBody({ head, reader, client, state }: Request, most: number): Promise<Buffer | undefined> {
  if (head.body.kind !== 'length' || head.body.bytes === 0 || head.body.bytes > most) return undefined;
  // The client waits for this response, and the upstream is not dialled yet.
  if (head.version === '1.1' && waitsForContinue(head.headers))
    await writeAll(client, [Buffer.from('HTTP/1.1 100 Continue\r\n\r\n')]);
  return readBytesOf(reader, head.body.bytes, state.limits.headMs);
}

function waitsForContinue(headers: Request['head']['headers']): boolean {
  return listOf(headers, 'expect').includes('100-continue');
}

async function readBytesOf(reader: ByteReader, bytes: number, ms: number): Promise<Buffer> {
  while (reader.buffered.length < bytes)
    if (!(await inTime(reader.more(), ms))) throw new Error('the request body did not arrive in time');
  const body = Buffer.from(reader.buffered.subarray(0, bytes));
  reader.consume(bytes);
  return body;
}

/** Records the denial and returns its response. */
export function denialByInspector(request: Request, { status, text, reason }: InspectorDenial): Denial {
  writeRecord(request.state, { ...aboutOf(request), verdict: 'deny', reason: 'refused', detail: reason });
  return { status, text };
}

/** The head with the framing of the forwarded body. */
export function headFor(head: RequestHead, { buffered }: Inspected): RequestHead {
  if (buffered === undefined) return head;
  const body: Framing = { kind: 'length', bytes: buffered.length };
  return { ...head, body };
}

function withoutConnection({ enforcement }: ListenerState, headers: Header[]): Header[] {
  return enforcement.hopByHop
    ? endToEnd(headers)
    : endToEnd(headers.filter(([name]) => name.toLowerCase() !== 'connection'));
}

function passedOn({ headers, body }: Passing, buffered: Buffer | undefined, continued: boolean): Inspected {
  checkHeaders(headers);
  if (buffered === undefined) return { headers };
  // The 100 Continue has been sent already.
  const left = continued ? headers.filter(([name]) => name.toLowerCase() !== 'expect') : headers;
  return { headers: left, buffered: body ?? buffered };
}

/** A value with a line end would be two headers. */
function checkHeaders(headers: Header[]): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: matches control characters on purpose
  const isOne = ([name, value]: Header) => TOKEN.test(name) && !/[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]/.test(value);
  if (!headers.every(isOne)) throw new Error('malformed fields');
}
