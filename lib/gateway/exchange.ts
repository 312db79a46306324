/** One plain HTTP request and its answer, streamed both ways; every message is framed anew in our own bytes. */
import type { Socket } from 'node:net';
import { BodyReader } from './body.ts';
import { type ByteReader, readBytes } from './byte-reader.ts';
import type { Connection } from './dial.ts';
import type { Framing } from './fields.ts';
import type { Meter, Meters } from './meter.ts';
import { type RequestHead, upstreamHead } from './request-head.ts';
import { clientHead, parseResponseHead, type ResponseHead } from './response-head.ts';
import { writeAll } from './socket-write.ts';

export interface ExchangeInput {
  client: Socket;
  /** Of the client, right behind the head */
  reader: ByteReader;
  head: RequestHead;
  connection: Connection;
  meters: Meters;
}

export type ExchangeEnd =
  /** `keepAlive`: the client's next request may follow */
  | { done: true; keepAlive: boolean }
  /** `answered`: part of an answer went out already, so the connection must be cut */
  | { done: false; fault: 'client' | 'upstream'; why: string; answered: boolean };

export async function exchange({ client, reader, head, connection, meters }: ExchangeInput): Promise<ExchangeEnd> {
  const upstream = connection.socket;
  const sent = { complete: false, bad: undefined as string | undefined };
  await writeAll(upstream, [upstreamHead(head, connection.proxy)]);
  const sending = sendBody(reader, head.body, { upstream, meter: meters.up }).then((end) => {
    if (end === 'complete') sent.complete = true;
    else if (end !== 'gone') {
      sent.bad = end;
      upstream.destroy();
    }
  });
  const received = await receive(upstream, head, { client, meter: meters.down });
  upstream.destroy();
  if (sent.bad !== undefined) return { done: false, fault: 'client', why: sent.bad, answered: received.answered };
  if (client.destroyed) return { done: true, keepAlive: false };
  if (received.why !== undefined)
    return { done: false, fault: 'upstream', why: received.why, answered: received.answered };
  // An answer before the end of the request's body: nobody knows where the next request begins.
  if (!sent.complete) return { done: true, keepAlive: false };
  await sending;
  return { done: true, keepAlive: received.keepAlive };
}

async function sendBody(
  reader: ByteReader,
  framing: Framing,
  { upstream, meter }: { upstream: Socket; meter: Meter },
): Promise<'complete' | 'gone' | string> {
  const body = new BodyReader(framing);
  while (!body.done) {
    const chunk = await reader.chunk();
    if (chunk === undefined) {
      upstream.destroy();
      return 'gone';
    }
    const part = body.read(chunk);
    if (typeof part === 'string') return part;
    reader.giveBack(part.rest);
    await writeAll(upstream, part.out);
    await meter.spend(chunk.length);
    if (upstream.destroyed) return 'gone';
  }
  return 'complete';
}

interface Received {
  answered: boolean;
  keepAlive: boolean;
  why?: string;
}

async function receive(
  upstream: Socket,
  request: RequestHead,
  { client, meter }: { client: Socket; meter: Meter },
): Promise<Received> {
  const reader = readBytes(upstream);
  const head = await receiveHead(reader, request, client);
  if (typeof head === 'string') return { answered: false, keepAlive: false, why: head };
  const keepAlive = request.keepAlive && head.body.kind !== 'end';
  await writeAll(client, [clientHead(head, keepAlive)]);
  const body = new BodyReader(head.body);
  while (!body.done) {
    const chunk = await reader.chunk();
    if (client.destroyed) return { answered: true, keepAlive: false };
    if (chunk === undefined)
      return body.mayEnd && !upstream.errored
        ? { answered: true, keepAlive: false }
        : { answered: true, keepAlive: false, why: 'the answer was cut short' };
    const part = body.read(chunk);
    if (typeof part === 'string') return { answered: true, keepAlive: false, why: part };
    await writeAll(client, part.out);
    await meter.spend(chunk.length);
  }
  return { answered: true, keepAlive };
}

/** The final head; interim ones are passed on. A string says what is wrong. */
async function receiveHead(reader: ByteReader, request: RequestHead, client: Socket): Promise<ResponseHead | string> {
  for (let seen = 0; ; ) {
    const parsed = parseResponseHead(reader.held, request, seen);
    if (parsed === 'more') {
      seen = reader.held.length;
      if (!(await reader.more())) return 'closed without an answer';
    } else {
      if ('bad' in parsed) return parsed.bad;
      reader.consume(parsed.bytes);
      seen = 0;
      if (!parsed.head.interim) return parsed.head;
      if (request.version === '1.1') await writeAll(client, [clientHead(parsed.head, true)]);
    }
  }
}
