/** Plain HTTP in the absolute form. */

import { readBytes } from '../http/byte-reader.ts';
import { type ExchangeEnd, exchange } from '../http/exchange.ts';
import { upstreamHead } from '../http/request-head.ts';
import { endWith, writeAll } from '../http/socket-write.ts';
import { answer } from '../policy/denial-text.ts';
import type { AuditReason } from '../policy/types.ts';
import { travel } from '../request/active-request.ts';
import { admitRequest } from '../request/admit-request.ts';
import { type Refusal, refusalBytes } from '../request/denial.ts';
import { headFor, inspect, refused } from '../request/inspect.ts';
import type { Request } from '../request/request.ts';

/** True: the client's next request may follow. */
export async function servePlain(request: Request): Promise<boolean> {
  const { client, reader, head, state } = request;
  const admitted = await admitRequest(request);
  if ('refusal' in admitted) return refuse(request, admitted.refusal);
  const inspected = await inspect(request, false);
  if ('refusal' in inspected) return refuse(request, inspected.refusal);
  const going = await travel(request, admitted.admission);
  if ('refusal' in going) return refuse(request, going.refusal);
  const { connection, close } = going.travel;
  connection.socket.setTimeout(state.limits.idleMs, () => close('idle'));
  const onGone = () => close();
  client.once('close', onGone);
  if (client.destroyed) close();
  const upstream = connection.socket;
  const { fields, held, watch } = inspected;
  const sent = upstreamHead(headFor(head, inspected), { proxy: connection.proxy, fields });
  const end = await exchange({
    client,
    reader,
    head,
    upstream,
    answers: readBytes(upstream),
    sent,
    held,
    watch,
    meters: state.meters,
  });
  client.off('close', onGone);
  if (end.done) {
    close();
    if (!end.keepAlive) endWith(client, Buffer.alloc(0));
    return end.keepAlive;
  }
  close(reasonOf(end), end.why);
  endBadly(request, end);
  return false;
}

export function reasonOf({ fault }: Failure): AuditReason {
  if (fault === 'refused') return 'refused';
  return fault === 'client' ? 'bad-request' : 'upstream-failed';
}

/** The client learns of it where it still can. */
export function endBadly(request: Request, end: Failure): void {
  const { client } = request;
  const said = { status: end.fault === 'client' ? 400 : 502, text: `sbx: ${end.why}` };
  const told = end.fault === 'refused' && end.refusal !== undefined ? refused(request, end.refusal) : said;
  if (end.answered || client.destroyed) client.destroy();
  else endWith(client, answer(told));
}

type Failure = Extract<ExchangeEnd, { done: false }>;

export async function refuse({ client, head }: Request, refusal: Refusal): Promise<boolean> {
  if (client.destroyed) return false;
  const empty = head.body.kind === 'none' || (head.body.kind === 'length' && head.body.bytes === 0);
  const keepAlive = head.keepAlive && empty;
  const bytes = refusalBytes(refusal, head, keepAlive);
  if (keepAlive) await writeAll(client, [bytes]);
  else endWith(client, bytes);
  return keepAlive;
}
