/** Forwards one HTTP request and its response, streaming both and reframing every message. */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Transform } from 'node:stream';
import type { Meters } from '../limits/meter.ts';
import { BodyReader } from './body.ts';
import { type BodySink, plainSink, reframed, transformSink } from './body-sink.ts';
import type { ByteReader } from './byte-reader.ts';
import type { Framing, Header } from './headers.ts';
import type { InspectorDenial, Passing } from './inspector.ts';
import type { RequestHead } from './request-head.ts';
import { clientHead, parseResponseHead, type ResponseHead } from './response-head.ts';
import { sendBody } from './send-body.ts';
import { writeAll } from './socket-write.ts';

export interface ExchangeInput {
  client: Socket;
  /** Reads the client, positioned after the head */
  reader: ByteReader;
  head: RequestHead;
  upstream: Socket;
  /** Reads the upstream, positioned at the start of the response */
  upstreamReader: ByteReader;
  /** The head for the upstream */
  sent: Buffer;
  /** The body, if it was read already */
  buffered?: Buffer | undefined;
  watch?: Passing['watch'];
  meters: Meters;
  /** Set if the request asks for a protocol upgrade */
  upgrade?: Upgrade | undefined;
  /** May change the response */
  change?: (head: ResponseHead) => Change;
}

export interface Upgrade {
  /** Whether these headers of a 101 accept the upgrade */
  accepts(headers: Header[]): boolean;
  /** No other 2xx opens a tunnel */
  only: boolean;
}

export interface Change {
  headers: Header[];
  reasonPhrase?: string;
  /** Transforms the body, which is then reframed */
  body?: Transform;
  /** Why the response must not be forwarded */
  denial?: string;
}

export type ExchangeEnd =
  /** `keepAlive`: the client may send its next request; `reusable`: the upstream takes another one; `switched`: the protocol was upgraded, both sides are open */
  | { done: true; keepAlive: boolean; reusable: boolean; switched?: true }
  /** `answered`: part of a response was sent already, so the connection must be closed */
  | { done: false; fault: 'client' | 'upstream'; why: string; answered: boolean }
  /** Denied by the inspector, within the request body or at the response head */
  | { done: false; fault: 'denied'; why: string; answered: boolean; denial?: InspectorDenial };

/** The upstream is destroyed unless it is reusable. */
export async function exchange(input: ExchangeInput): Promise<ExchangeEnd> {
  const { client, reader, head, upstream, meters } = input;
  const sent = { complete: false, bad: undefined as string | InspectorDenial | undefined };
  await writeAll(upstream, [input.sent]);
  const { buffered, watch } = input;
  const sending = sendBody({ reader, framing: head.body, upstream, meter: meters.up, buffered, watch }).then((end) => {
    if (end === 'complete') sent.complete = true;
    else if (end !== 'gone') {
      sent.bad = end;
      upstream.destroy();
    }
  });
  const received = await whileReading(reader, sending, receive(input));
  if (received.switched === true) return { done: true, keepAlive: false, reusable: false, switched: true };
  const reusable = received.reusable && sent.complete && received.why === undefined && !client.destroyed;
  if (!reusable) upstream.destroy();
  const { answered } = received;
  if (typeof sent.bad === 'string') return { done: false, fault: 'client', why: sent.bad, answered };
  if (sent.bad !== undefined) return { done: false, fault: 'denied', why: sent.bad.reason, answered, denial: sent.bad };
  if (client.destroyed) return { done: true, keepAlive: false, reusable };
  if (received.why !== undefined)
    return { done: false, fault: received.denied === true ? 'denied' : 'upstream', why: received.why, answered };
  // The response came before the end of the request body, so the start of the next request is unknown.
  if (!sent.complete) return { done: true, keepAlive: false, reusable };
  await sending;
  return { done: true, keepAlive: received.keepAlive, reusable };
}

/** Bytes of the next request that are buffered while this one is served */
const AHEAD_MAX = 64 * 1024;

/** Reads on behind the body: otherwise the end of the client would go unnoticed while the response is awaited. */
async function whileReading<T>(reader: ByteReader, sending: Promise<void>, response: Promise<T>): Promise<T> {
  const state = { over: false, stop: () => {} };
  void sending.then(() => {
    if (!state.over) state.stop = reader.readAhead(AHEAD_MAX, () => {});
  });
  try {
    return await response;
  } finally {
    state.over = true;
    state.stop();
  }
}

const FAILED = { answered: false, keepAlive: false, reusable: false };

/** The upstream closed before its response head */
export const CLOSED = 'connection closed without a response';

interface Received {
  answered: boolean;
  keepAlive: boolean;
  /** The upstream accepts another request */
  reusable: boolean;
  switched?: true;
  /** Denied by the inspector */
  denied?: true;
  why?: string;
}

async function receive(input: ExchangeInput): Promise<Received> {
  const { client, head: request, upstreamReader } = input;
  const head = await receiveHead(input);
  if (typeof head === 'string') return { ...FAILED, why: head };
  const change = input.change?.(head) ?? { headers: head.headers };
  if (change.denial !== undefined) return { ...FAILED, denied: true, why: change.denial };
  const shown = { ...head, reasonPhrase: change.reasonPhrase ?? head.reasonPhrase, headers: change.headers };
  if (input.upgrade !== undefined && head.status < 300) {
    if (head.status !== 101 && input.upgrade.only)
      return { ...FAILED, why: `the upgrade was rejected with status ${head.status}` };
    await writeAll(client, [clientHead(shown, false)]);
    return { answered: true, keepAlive: false, reusable: false, switched: true };
  }
  const frame = change.body === undefined ? head.body : reframed(head.body, request);
  const keepAlive = request.keepAlive && frame.kind !== 'end';
  const sent = clientHead({ ...shown, body: frame }, keepAlive);
  const body = new BodyReader(head.body, { payload: change.body !== undefined });
  const sink = await sinkFor(input, { sent, frame, change: change.body, alone: body.done });
  const why = await receiveBody(input, body, sink);
  if (why === undefined) await sink.end();
  // Bytes after the response belong to no request, so the connection is not reused.
  const reusable = head.reusable && head.body.kind !== 'end' && upstreamReader.buffered.length === 0;
  return { answered: sink.begun, keepAlive, reusable, ...(why === undefined ? {} : { why }) };
}

interface Answering {
  /** The head for the client */
  sent: Buffer;
  frame: Framing;
  change: Transform | undefined;
  /** The response has no body */
  alone: boolean;
}

/** Sends the head without delay: now, or with the body bytes that are buffered. */
async function sinkFor(
  { client, upstreamReader }: ExchangeInput,
  { sent, frame, change, alone }: Answering,
): Promise<BodySink> {
  if (change === undefined) {
    const sink = plainSink(client, sent);
    if (alone || upstreamReader.buffered.length === 0) await sink.write([]);
    return sink;
  }
  await writeAll(client, [sent]);
  return transformSink(client, change, frame);
}

/** @returns a string on failure */
async function receiveBody(input: ExchangeInput, body: BodyReader, sink: BodySink): Promise<string | undefined> {
  const { client, upstream, upstreamReader, meters } = input;
  while (!body.done) {
    const chunk = await upstreamReader.chunk();
    if (client.destroyed) return undefined;
    if (chunk === undefined) return body.mayEnd && !upstream.errored ? undefined : 'the response was truncated';
    const part = body.read(chunk);
    if (typeof part === 'string') return part;
    upstreamReader.unshift(part.rest);
    await sink.write(part.out);
    await meters.down.spend(chunk.length);
  }
  return undefined;
}

/** Returns the final head and forwards interim ones; a string on failure. */
async function receiveHead({
  upstreamReader,
  head,
  client,
  upgrade,
  change,
}: ExchangeInput): Promise<ResponseHead | string> {
  for (let seen = 0; ; ) {
    const parsed = parseResponseHead(upstreamReader.buffered, head, { seen, upgrade: upgrade?.accepts });
    if (parsed === 'more') {
      seen = upstreamReader.buffered.length;
      if (!(await upstreamReader.more())) return CLOSED;
    } else {
      if ('bad' in parsed) return parsed.bad;
      upstreamReader.consume(parsed.bytes);
      seen = 0;
      if (!parsed.head.interim) return parsed.head;
      // The inspector does not see interim heads, so only the status is forwarded, with its usual reason phrase.
      const reasonPhrase = STATUS_CODES[parsed.head.status] ?? '';
      const interim = change === undefined ? parsed.head : { ...parsed.head, reasonPhrase, headers: [] };
      if (head.version === '1.1') await writeAll(client, [clientHead(interim, true)]);
    }
  }
}
