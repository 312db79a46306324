/** One plain HTTP request and its answer, streamed both ways; every message is framed anew in our own bytes. */
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
  /** Of the client, right behind the head */
  reader: ByteReader;
  head: RequestHead;
  upstream: Socket;
  /** Of the upstream, at the beginning of the answer */
  upstreamReader: ByteReader;
  /** The head as it goes to the upstream */
  sent: Buffer;
  /** The body, where it was read already */
  buffered?: Buffer | undefined;
  watch?: Passing['watch'];
  meters: Meters;
  /** A switch of protocols was asked for */
  upgrade?: Upgrade | undefined;
  /** May change what the upstream answered */
  change?: (head: ResponseHead) => Change;
}

export interface Upgrade {
  /** Whether these fields of a 101 answer it */
  accepts(headers: Header[]): boolean;
  /** No other success opens a tunnel */
  only: boolean;
}

export interface Change {
  headers: Header[];
  reasonPhrase?: string;
  /** The body passes through it, and is framed anew */
  body?: Transform;
  /** Why it must not go on */
  denial?: string;
}

export type ExchangeEnd =
  /** `keepAlive`: the client's next request may follow; `reusable`: the upstream takes another one; `switched`: to the other protocol, both sides are open */
  | { done: true; keepAlive: boolean; reusable: boolean; switched?: true }
  /** `answered`: part of an answer went out already, so the connection must be cut */
  | { done: false; fault: 'client' | 'upstream'; why: string; answered: boolean }
  /** By the inspector, in the middle of the request's body or at the head of the answer */
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
  const received = await receive(input);
  if (received.switched === true) return { done: true, keepAlive: false, reusable: false, switched: true };
  const reusable = received.reusable && sent.complete && received.why === undefined && !client.destroyed;
  if (!reusable) upstream.destroy();
  const { answered } = received;
  if (typeof sent.bad === 'string') return { done: false, fault: 'client', why: sent.bad, answered };
  if (sent.bad !== undefined) return { done: false, fault: 'denied', why: sent.bad.reason, answered, denial: sent.bad };
  if (client.destroyed) return { done: true, keepAlive: false, reusable };
  if (received.why !== undefined)
    return { done: false, fault: received.denied === true ? 'denied' : 'upstream', why: received.why, answered };
  // An answer before the end of the request's body: nobody knows where the next request begins.
  if (!sent.complete) return { done: true, keepAlive: false, reusable };
  await sending;
  return { done: true, keepAlive: received.keepAlive, reusable };
}

const FAILED = { answered: false, keepAlive: false, reusable: false };

/** Of an upstream that ended before the head of its answer */
export const CLOSED = 'closed without an answer';

interface Received {
  answered: boolean;
  keepAlive: boolean;
  /** The upstream said nothing against another request */
  reusable: boolean;
  switched?: true;
  /** By the inspector */
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
      return { ...FAILED, why: `the upgrade was answered with ${head.status}` };
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
  // What came behind the answer answers nothing that was asked.
  const reusable = head.reusable && head.body.kind !== 'end' && upstreamReader.buffered.length === 0;
  return { answered: sink.begun, keepAlive, reusable, ...(why === undefined ? {} : { why }) };
}

interface Answering {
  /** The head for the client */
  sent: Buffer;
  frame: Framing;
  change: Transform | undefined;
  /** No body follows */
  alone: boolean;
}

/** The head waits for nothing: it goes out now, or with what is there of the body. */
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

/** A string says what is wrong. */
async function receiveBody(input: ExchangeInput, body: BodyReader, sink: BodySink): Promise<string | undefined> {
  const { client, upstream, upstreamReader, meters } = input;
  while (!body.done) {
    const chunk = await upstreamReader.chunk();
    if (client.destroyed) return undefined;
    if (chunk === undefined) return body.mayEnd && !upstream.errored ? undefined : 'the answer was cut short';
    const part = body.read(chunk);
    if (typeof part === 'string') return part;
    upstreamReader.unshift(part.rest);
    await sink.write(part.out);
    await meters.down.spend(chunk.length);
  }
  return undefined;
}

/** The final head; interim ones are passed on. A string says what is wrong. */
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
      // Nobody looks at what an interim head says: its number goes on, in the usual words.
      const reasonPhrase = STATUS_CODES[parsed.head.status] ?? '';
      const interim = change === undefined ? parsed.head : { ...parsed.head, reasonPhrase, headers: [] };
      if (head.version === '1.1') await writeAll(client, [clientHead(interim, true)]);
    }
  }
}
