/** One request inside an intercepted tunnel, and the upstream's connection that its requests share. */

import type { Endpoint } from '../address/canonical-host.ts';
import { type ByteReader, readBytes } from '../http/byte-reader.ts';
import { type Change, CLOSED, type ExchangeEnd, exchange } from '../http/exchange.ts';
import { endToEnd } from '../http/headers.ts';
import { type RequestHead, upstreamHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import { endWith } from '../http/socket-write.ts';
import { websocketOf } from '../http/websocket.ts';
import { dialing, type Open, type Travel, travel } from '../request/active-request.ts';
import { admitAgain, admitRequest } from '../request/admit-request.ts';
import { headFor, type Inspected, inspect } from '../request/inspect.ts';
import type { ListenerState } from '../request/listener-state.ts';
import type { Request } from '../request/request.ts';
import { splice } from '../request/splice.ts';
import { secureUpstream } from '../tls/tls.ts';
import type { Connection } from '../upstream/dial.ts';
import { endBadly, reasonOf, refuse } from './http-forward.ts';

export interface Inside {
  client: Connection['socket'];
  reader: ByteReader;
  state: ListenerState;
  endpoint: Endpoint;
  secure: boolean;
  /** Open between two requests, or of the one under way */
  upstream: Upstream | undefined;
}

interface Upstream {
  connection: Connection;
  answers: ByteReader;
  /** All that were checked when it was dialled */
  addresses: string[];
  /** Ends the watch over an idle one */
  wake: () => void;
}

/** True: the client's next request may follow. */
export async function serveInside(inside: Inside, head: RequestHead, abort: AbortController): Promise<boolean> {
  const { client, reader, state, secure } = inside;
  const purpose = secure ? 'tunnel' : 'http';
  const request: Request = { state, client, reader, head, purpose, read: true, abort, began: performance.now() };
  const kept = takeUpstream(inside);
  const admitted = kept === undefined ? await admitRequest(request) : await admitAgain(request, kept.addresses);
  if ('refusal' in admitted) return turnAway(inside, request, admitted.refusal);
  const inspected = await inspect(request, secure);
  if ('refusal' in inspected) return turnAway(inside, request, inspected.refusal);
  const open: Open = kept === undefined ? opening(inside, request) : async () => kept.connection;
  const going = await travel(request, admitted.admission, open);
  if ('refusal' in going) return turnAway(inside, request, going.refusal);
  const end = await carryOver(inside, request, { going: going.travel, inspected });
  if (end.done) return end.keepAlive;
  const stale = kept !== undefined && !end.answered && end.why === CLOSED && isRepeatable(head);
  // A server may end an idle connection at the very moment that it is used again.
  if (stale && !client.destroyed && !abort.signal.aborted) return serveInside(inside, head, abort);
  endBadly(request, end);
  return false;
}

export function leaveUpstream(inside: Inside): void {
  inside.upstream?.connection.socket.destroy();
  inside.upstream = undefined;
}

interface Way {
  going: Travel;
  inspected: Inspected;
}

async function carryOver(inside: Inside, request: Request, { going, inspected }: Way): Promise<ExchangeEnd> {
  const { client, reader, state, secure } = inside;
  const { head, abort } = request;
  const { socket, proxy } = going.connection;
  const upstream = inside.upstream?.connection === going.connection ? inside.upstream : keep(inside, going);
  const upgrade = websocketOf(head);
  const { fields, held } = inspected;
  const form = { proxy, fields, usualPort: secure ? 443 : 80, keepAlive: true };
  const sent = upstreamHead(headFor(head, inspected), upgrade === undefined ? form : { ...form, upgrade: 'websocket' });
  const onIdle = () => going.close('idle');
  socket.setTimeout(state.limits.idleMs).on('timeout', onIdle);
  const end = await exchange({
    client,
    reader,
    head,
    upstream: socket,
    answers: upstream.answers,
    sent,
    held,
    watch: inspected.watch,
    meters: state.meters,
    ...(upgrade === undefined ? {} : { upgrade: { ...upgrade, only: state.controls.websocket } }),
    change: (answered) => changeOf(inside, answered),
  }).finally(() => socket.off('timeout', onIdle));
  if (end.done && end.switched === true) {
    inside.upstream = undefined;
    const { host, port } = inside.endpoint;
    splice(inside, going, upstream.answers.release(), state.inspector?.switched?.(host, port));
    await new Promise((resolve) => client.once('close', resolve));
    return { ...end, keepAlive: false };
  }
  if (end.done && end.reusable && !abort.signal.aborted) {
    going.release();
    watch(upstream, state);
  } else {
    inside.upstream = undefined;
    if (end.done) going.close();
    else going.close(reasonOf(end), end.why);
  }
  if (end.done && !end.keepAlive) endWith(client, Buffer.alloc(0));
  return end;
}

function changeOf({ state, endpoint }: Inside, { status, words, fields, body }: ResponseHead): Change {
  if (state.inspector === undefined) return { fields };
  const { host, port } = endpoint;
  const hasBody = body.kind !== 'none';
  const change = state.inspector.response({ host, port, status, words, fields: endToEnd(fields), hasBody });
  // Of an answer without a body it still tells the length.
  return {
    ...change,
    fields: [...change.fields, ...fields.filter(([name]) => name.toLowerCase() === 'content-length')],
  };
}

function turnAway(inside: Inside, request: Request, refusal: { status: number; text: string }): Promise<boolean> {
  if (inside.upstream !== undefined) watch(inside.upstream, inside.state);
  return refuse(request, refusal);
}

/** Safe to send twice. */
function isRepeatable({ method, body }: RequestHead): boolean {
  return body.kind === 'none' && ['GET', 'HEAD', 'OPTIONS'].includes(method);
}

function opening(inside: Inside, request: Request): Open {
  const { state, endpoint, secure } = inside;
  const dial = dialing(request);
  return async (addresses, signal) => {
    const connection = await dial(addresses, signal);
    if (!secure) return connection;
    const verify = state.controls.upstreamCertificate;
    const { headMs: ms } = state.limits;
    const socket = await secureUpstream(connection.socket, { host: endpoint, trust: state.trust(), verify, ms });
    return { ...connection, socket };
  };
}

function keep(inside: Inside, { connection }: Travel): Upstream {
  const addresses = connection.address === undefined ? [] : [connection.address];
  const upstream = { connection, answers: readBytes(connection.socket), addresses, wake: () => {} };
  inside.upstream = upstream;
  return upstream;
}

/** Nothing may come while nothing was asked; the end of it is seen, and a changed policy ends it. */
function watch(upstream: Upstream, { idle }: ListenerState): void {
  const { socket } = upstream.connection;
  const leave = () => void idle.delete(socket);
  const stop = upstream.answers.readAhead(1, () => socket.destroy());
  idle.add(socket);
  socket.once('close', leave);
  upstream.wake = () => {
    leave();
    socket.off('close', leave);
    stop();
  };
}

/** The idle one, if it is as it was left. */
function takeUpstream(inside: Inside): Upstream | undefined {
  const { upstream } = inside;
  if (upstream === undefined) return undefined;
  upstream.wake();
  upstream.wake = () => {};
  if (!upstream.connection.socket.destroyed && !upstream.answers.ended && upstream.answers.held.length === 0)
    return upstream;
  leaveUpstream(inside);
  return undefined;
}
