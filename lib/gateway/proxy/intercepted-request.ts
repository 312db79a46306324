/** Serves the requests of an intercepted tunnel over one shared upstream connection. */

import type { Endpoint } from '../address/canonical-host.ts';
import type { ByteReader } from '../http/byte-reader.ts';
import { type Change, CLOSED, type ExchangeEnd, exchange } from '../http/exchange.ts';
import { endToEnd } from '../http/headers.ts';
import { type RequestHead, upstreamHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import { endWith } from '../http/socket-write.ts';
import { websocketOf } from '../http/websocket.ts';
import { type Dial, dialAdmitted, dialDirect, type OpenConnection } from '../request/active-request.ts';
import { admitAgain, admitRequest } from '../request/admit-request.ts';
import { headFor, type Inspected, inspect } from '../request/inspect.ts';
import type { ListenerState } from '../request/listener-state.ts';
import type { Request } from '../request/request.ts';
import { splice } from '../request/splice.ts';
import { secureUpstream } from '../tls/tls.ts';
import type { Connection } from '../upstream/dial.ts';
import { failureReason, sendDenial, sendFailure } from './http-forward.ts';
import { keepUpstream, takeIdleUpstream, type Upstream, watchIdleUpstream } from './kept-upstream.ts';

export interface InterceptedTunnel {
  client: Connection['socket'];
  reader: ByteReader;
  state: ListenerState;
  endpoint: Endpoint;
  secure: boolean;
  /** Idle between two requests, or in use by the current one */
  upstream: Upstream | undefined;
}

/** @returns whether the client may send its next request */
export async function serveInterceptedRequest(
  inside: InterceptedTunnel,
  head: RequestHead,
  abort: AbortController,
): Promise<boolean> {
  const { client, reader, state, secure } = inside;
  const purpose = secure ? 'tunnel' : 'http';
  const request: Request = { state, client, reader, head, purpose, read: true, abort, began: performance.now() };
  const kept = takeIdleUpstream(inside);
  const admitted = kept === undefined ? await admitRequest(request) : await admitAgain(request, kept.addresses);
  if ('denial' in admitted) return denyInside(inside, request, admitted.denial);
  const inspected = await inspect(request, secure);
  if ('denial' in inspected) return denyInside(inside, request, inspected.denial);
  const open: Dial = kept === undefined ? dialUpstream(inside, request) : async () => kept.connection;
  const dialled = await dialAdmitted(request, admitted.admission, open);
  if ('denial' in dialled) return denyInside(inside, request, dialled.denial);
  const end = await forward({ inside, request, open: dialled.open, inspected });
  if (end.done) return end.keepAlive;
  const stale = kept !== undefined && !end.answered && end.why === CLOSED && isRepeatable(head);
  // A server may close an idle connection just as it is reused.
  if (stale && !client.destroyed && !abort.signal.aborted) return serveInterceptedRequest(inside, head, abort);
  sendFailure(request, end);
  return false;
}

/** An admitted request with its upstream connection. */
interface Dialled {
  inside: InterceptedTunnel;
  request: Request;
  open: OpenConnection;
  inspected: Inspected;
}

async function forward(dialled: Dialled): Promise<ExchangeEnd> {
  const { inside, request, open } = dialled;
  const upstream =
    inside.upstream?.connection === open.connection ? inside.upstream : keepUpstream(inside, open.connection);
  const end = await exchangeWith(upstream, dialled);
  if (end.done && end.switched === true) {
    await switchProtocol(upstream, dialled);
    return { ...end, keepAlive: false };
  }
  if (end.done && end.reusable && !request.abort.signal.aborted) {
    open.release();
    watchIdleUpstream(upstream, inside.state.idle);
  } else {
    inside.upstream = undefined;
    if (end.done) open.close();
    else open.close(failureReason(end), end.why);
  }
  if (end.done && !end.keepAlive) endWith(inside.client, Buffer.alloc(0));
  return end;
}

function exchangeWith(upstream: Upstream, { inside, request, open, inspected }: Dialled): Promise<ExchangeEnd> {
  const { client, reader, state, secure } = inside;
  const { head } = request;
  const { socket, proxy } = open.connection;
  const upgrade = websocketOf(head);
  const { headers, buffered } = inspected;
  const form = { proxy, headers, usualPort: secure ? 443 : 80, keepAlive: true };
  const sent = upstreamHead(headFor(head, inspected), upgrade === undefined ? form : { ...form, upgrade: 'websocket' });
  const onIdle = () => open.close('idle');
  socket.setTimeout(state.limits.idleMs).on('timeout', onIdle);
  return exchange({
    client,
    reader,
    head,
    upstream: socket,
    upstreamReader: upstream.upstreamReader,
    sent,
    buffered,
    watch: inspected.watch,
    meters: state.meters,
    ...(upgrade === undefined ? {} : { upgrade: { ...upgrade, only: state.enforcement.websocket } }),
    change: (answered) => changeResponse(inside, answered),
  }).finally(() => socket.off('timeout', onIdle));
}

/** Passes the bytes of a WebSocket until its end. */
async function switchProtocol({ upstreamReader }: Upstream, { inside, open }: Dialled): Promise<void> {
  const { client, endpoint, state } = inside;
  inside.upstream = undefined;
  splice(inside, open, upstreamReader.release(), state.inspector?.switched?.(endpoint.host, endpoint.port));
  await new Promise((resolve) => client.once('close', resolve));
}

function changeResponse(
  { state, endpoint }: InterceptedTunnel,
  { status, reasonPhrase, headers, body }: ResponseHead,
): Change {
  if (state.inspector === undefined) return { headers };
  const { host, port } = endpoint;
  const hasBody = body.kind !== 'none';
  const change = state.inspector.response({ host, port, status, reasonPhrase, headers: endToEnd(headers), hasBody });
  // A response without a body still declares its length.
  return {
    ...change,
    headers: [...change.headers, ...headers.filter(([name]) => name.toLowerCase() === 'content-length')],
  };
}

function denyInside(
  inside: InterceptedTunnel,
  request: Request,
  denial: { status: number; text: string },
): Promise<boolean> {
  if (inside.upstream !== undefined) watchIdleUpstream(inside.upstream, inside.state.idle);
  return sendDenial(request, denial);
}

/** Idempotent and without a body, so safe to retry. */
function isRepeatable({ method, body }: RequestHead): boolean {
  return body.kind === 'none' && ['GET', 'HEAD', 'OPTIONS'].includes(method);
}

function dialUpstream(inside: InterceptedTunnel, request: Request): Dial {
  const { state, endpoint, secure } = inside;
  const dial = dialDirect(request);
  return async (target, signal) => {
    const connection = await dial(target, signal);
    if (!secure) return connection;
    const verify = state.enforcement.upstreamCertificate;
    const { headMs: ms } = state.limits;
    const socket = await secureUpstream(connection.socket, { host: endpoint, trust: state.trust(), verify, ms });
    return { ...connection, socket };
  };
}
