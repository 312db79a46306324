/** One connection of the VM: requests one after the other, until one is a tunnel. */
import type { Socket } from 'node:net';
import { answer } from './answers.ts';
import { type ByteReader, readBytes } from './byte-reader.ts';
import { type DoorState, note } from './door-state.ts';
import { servePlain } from './plain.ts';
import type { ParsedHead, RequestHead } from './request-head.ts';
import { endWith } from './socket-write.ts';
import { serveTunnel } from './tunnel.ts';

export async function serveClient(client: Socket, state: DoorState): Promise<void> {
  const reader = readBytes(client);
  for (let goOn = true; goOn && !client.destroyed; ) {
    const parsed = await nextHead(reader, state);
    if (client.destroyed) return;
    if (parsed === 'gone') return endWith(client, Buffer.alloc(0));
    // What is no request costs a turn as well.
    if (parsed === 'late' || 'bad' in parsed) await state.pace.turn();
    if (parsed === 'late') return refuseHead({ client, reader, state }, 408, 'the request was not complete in time');
    if ('bad' in parsed) return refuseHead({ client, reader, state }, 400, parsed.bad);
    reader.consume(parsed.bytes);
    goOn = await serveRequest(client, { reader, state, head: parsed.head });
  }
}

async function serveRequest(
  client: Socket,
  { reader, state, head }: { reader: ByteReader; state: DoorState; head: RequestHead },
): Promise<boolean> {
  const abort = new AbortController();
  const onClose = () => abort.abort();
  client.once('close', onClose);
  try {
    const purpose = head.method === 'CONNECT' ? 'tunnel' : 'http';
    const request = { state, client, reader, head, purpose, abort, began: Date.now() } as const;
    if (purpose === 'http') return await servePlain(request);
    await serveTunnel(request);
    return false;
  } finally {
    client.off('close', onClose);
  }
}

/** `gone`: the client has nothing to say. `late`: it began and did not finish. */
async function nextHead(
  reader: ByteReader,
  { limits, controls }: DoorState,
): Promise<Exclude<ParsedHead, 'more'> | 'gone' | 'late'> {
  if (reader.held.length === 0 && !(await inTime(reader.more(), limits.keepAliveMs))) return 'gone';
  const until = Date.now() + limits.headMs;
  for (let seen = 0; ; ) {
    const parsed = controls.parseHead(reader.held, seen);
    if (parsed !== 'more') return parsed;
    seen = reader.held.length;
    if (!(await inTime(reader.more(), until - Date.now()))) return reader.ended ? 'gone' : 'late';
  }
}

async function inTime(work: Promise<boolean>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), Math.max(0, ms));
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

interface Bad {
  client: Socket;
  reader: ByteReader;
  state: DoorState;
}

/** What is no request is closed, with one record of its first line as far as it can be shown. */
function refuseHead({ client, reader, state }: Bad, status: 400 | 408, why: string): void {
  const line = reader.held.toString('latin1', 0, 200).split(/[\r\n]/, 1)[0] ?? '';
  const reason = status === 400 ? 'bad-request' : 'head-timeout';
  note(state, { verdict: 'deny', reason, detail: why, host: line.replace(/[^\x20-\x7e]/g, '?'), port: 0 });
  endWith(client, answer({ status, text: `sbx: ${why}` }));
}
