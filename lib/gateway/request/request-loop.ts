/** Serves the requests of one connection in sequence; rejects and records malformed ones. */
import type { Socket } from 'node:net';
import type { Endpoint } from '../address/canonical-host.ts';
import type { ByteReader } from '../http/byte-reader.ts';
import type { HeadParser, ParsedHead, RequestHead } from '../http/request-head.ts';
import { endWith } from '../http/socket-write.ts';
import { plainResponse } from '../policy/denial-text.ts';
import { type ListenerState, writeRecord } from './listener-state.ts';

export interface Loop {
  client: Socket;
  reader: ByteReader;
  state: ListenerState;
  parse: HeadParser;
  /** The host that all requests are for, inside a tunnel */
  endpoint?: Endpoint;
  /** False: the connection takes no further request. `abort`: aborted when the client disconnects. */
  serve(head: RequestHead, abort: AbortController): Promise<boolean>;
  /** Called on a malformed request */
  onBad?(): void;
}

export async function serveRequests(loop: Loop): Promise<void> {
  const { client, reader, state } = loop;
  for (let resume = true; resume && !client.destroyed; ) {
    const parsed = await nextHead(loop);
    if (client.destroyed) return;
    if (parsed === 'gone') return endWith(client, Buffer.alloc(0));
    // A malformed request counts against the request rate as well.
    if (parsed === 'late' || 'bad' in parsed) await state.pace.turn();
    if (parsed === 'late') return denyHead(loop, { status: 408, why: 'the request was not complete in time' });
    if ('bad' in parsed) return denyHead(loop, { status: parsed.misdirected === true ? 421 : 400, why: parsed.bad });
    reader.consume(parsed.bytes);
    resume = await serveOne(loop, parsed.head);
  }
}

async function serveOne({ client, serve }: Loop, head: RequestHead): Promise<boolean> {
  const abort = new AbortController();
  const onClose = () => abort.abort();
  client.once('close', onClose);
  try {
    return await serve(head, abort);
  } finally {
    client.off('close', onClose);
  }
}

/** `gone`: the client disconnected or stayed idle. `late`: its head was incomplete at the deadline. */
async function nextHead({
  reader,
  parse,
  state: { limits },
}: Loop): Promise<Exclude<ParsedHead, 'more'> | 'gone' | 'late'> {
  if (reader.buffered.length === 0 && !(await inTime(reader.more(), limits.keepAliveMs))) return 'gone';
  const until = Date.now() + limits.headMs;
  for (let seen = 0; ; ) {
    const parsed = parse(reader.buffered, seen);
    if (parsed !== 'more') return parsed;
    seen = reader.buffered.length;
    if (!(await inTime(reader.more(), until - Date.now()))) return reader.ended ? 'gone' : 'late';
  }
}

export async function inTime(work: Promise<boolean>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), Math.max(0, ms));
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

const REASONS = { 400: 'bad-request', 408: 'head-timeout', 421: 'misdirected' } as const;

/** Closes the connection and records the printable part of the first line. */
function denyHead(
  { client, reader, state, endpoint, onBad }: Loop,
  { status, why }: { status: keyof typeof REASONS; why: string },
): void {
  onBad?.();
  const line = reader.buffered.toString('latin1', 0, 200).split(/[\r\n]/, 1)[0] ?? '';
  const about = endpoint ?? { host: line.replace(/[^\x20-\x7e]/g, '?'), port: 0 };
  writeRecord(state, { verdict: 'deny', reason: REASONS[status], detail: why, host: about.host, port: about.port });
  endWith(client, plainResponse({ status, text: `sbx: ${why}` }));
}
