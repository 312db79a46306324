/** Forwards plain HTTP requests in absolute form. */

import { readBytes } from '../http/byte-reader.ts';
import { type ExchangeEnd, exchange } from '../http/exchange.ts';
import { upstreamHead } from '../http/request-head.ts';
import { endWith, writeAll } from '../http/socket-write.ts';
import { plainResponse } from '../policy/denial-text.ts';
import type { AuditReason } from '../policy/types.ts';
import { dialAdmitted } from '../request/active-request.ts';
import { admitRequest } from '../request/admit-request.ts';
import { type Denial, denialBytes } from '../request/denial.ts';
import { denialByInspector, headFor, inspect } from '../request/inspect.ts';
import type { Request } from '../request/request.ts';

/** @returns whether the client may send its next request */
export async function serveForward(request: Request): Promise<boolean> {
  const { client, reader, head, state } = request;
  const admitted = await admitRequest(request);
  if ('denial' in admitted) return sendDenial(request, admitted.denial);
  const inspected = await inspect(request, false);
  if ('denial' in inspected) return sendDenial(request, inspected.denial);
  const dialled = await dialAdmitted(request, admitted.admission);
  if ('denial' in dialled) return sendDenial(request, dialled.denial);
  const { connection, close } = dialled.open;
  connection.socket.setTimeout(state.limits.idleMs, () => close('idle'));
  const onGone = () => close();
  client.once('close', onGone);
  if (client.destroyed) close();
  const upstream = connection.socket;
  const { headers, buffered, watch } = inspected;
  const sent = upstreamHead(headFor(head, inspected), { proxy: connection.proxy, headers });
  const end = await exchange({
    client,
    reader,
    head,
    upstream,
    upstreamReader: readBytes(upstream),
    sent,
    buffered,
    watch,
    meters: state.meters,
  });
  client.off('close', onGone);
  if (end.done) {
    close();
    if (!end.keepAlive) endWith(client, Buffer.alloc(0));
    return end.keepAlive;
  }
  close(failureReason(end), end.why);
  sendFailure(request, end);
  return false;
}

export function failureReason({ fault }: Failure): AuditReason {
  if (fault === 'denied') return 'refused';
  return fault === 'client' ? 'bad-request' : 'upstream-failed';
}

/** Reports the failure to the client if no response has been sent yet. */
export function sendFailure(request: Request, end: Failure): void {
  const { client } = request;
  const failed = { status: end.fault === 'client' ? 400 : 502, text: `sbx: ${end.why}` };
  const response = end.fault === 'denied' && end.denial !== undefined ? denialByInspector(request, end.denial) : failed;
  if (end.answered || client.destroyed) client.destroy();
  else endWith(client, plainResponse(response));
}

type Failure = Extract<ExchangeEnd, { done: false }>;

export async function sendDenial({ client, head }: Request, denial: Denial): Promise<boolean> {
  if (client.destroyed) return false;
  const empty = head.body.kind === 'none' || (head.body.kind === 'length' && head.body.bytes === 0);
  const keepAlive = head.keepAlive && empty;
  const bytes = denialBytes(denial, head, keepAlive);
  if (keepAlive) await writeAll(client, [bytes]);
  else endWith(client, bytes);
  return keepAlive;
}
