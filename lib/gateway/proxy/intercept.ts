/** Intercepts a tunnel: terminates TLS on both sides and admits each inner request separately. */
import type { Socket } from 'node:net';
import type { Endpoint } from '../address/canonical-host.ts';
import { type ByteReader, readBytes } from '../http/byte-reader.ts';
import { innerHeadParser } from '../http/request-head.ts';
import { endWith } from '../http/socket-write.ts';
import { readsRequests } from '../policy/policy.ts';
import { denialByName } from '../request/admit-request.ts';
import { denialBytes } from '../request/denial.ts';
import { sendDenialInside, wantsDenialInside } from '../request/explain-inside.ts';
import { type ListenerState, writeRecord } from '../request/listener-state.ts';
import { aboutOf, type Request } from '../request/request.ts';
import { inTime, serveRequests } from '../request/request-loop.ts';
import { checkServerName, UNRECOGNIZED_NAME } from '../tls/server-name.ts';
import { secureClient } from '../tls/tls.ts';
import { type InterceptedTunnel, serveInterceptedRequest } from './intercepted-request.ts';
import { dropUpstream } from './kept-upstream.ts';

const ESTABLISHED = 'HTTP/1.1 200 Connection established\r\n\r\n';
const HTTPS = 443;
const HANDSHAKE = 22;
const NOTHING = Buffer.alloc(0);

/** True if an HTTP rule or the inspector must see the requests. */
export function isIntercepted({ policy, inspector, enforcement }: ListenerState, endpoint: Endpoint): boolean {
  if (inspector?.wants(endpoint.host, endpoint.port) === true) return true;
  return enforcement.httpRules && readsRequests(policy, endpoint);
}

export async function serveIntercepted(request: Request): Promise<void> {
  const { client, head, state } = request;
  const denial = await denialByName(request);
  if (client.destroyed) return;
  if (denial !== undefined) {
    if (wantsDenialInside(head)) return sendDenialInside(request, denial);
    return endWith(client, denialBytes(denial, head, false));
  }
  client.write(ESTABLISHED);
  const opened = await openIntercepted(request);
  if (opened === undefined) return;
  const inside: InterceptedTunnel = { ...opened, state, endpoint: head.endpoint, upstream: undefined };
  if (opened.secure) inside.client.once('end', () => state.halfClosed.add(inside.client, client));
  inside.client.once('close', () => {
    client.destroy();
    dropUpstream(inside);
  });
  const parse = innerHeadParser(head.endpoint, inside.secure, state.enforcement.innerHost);
  let asked = false;
  await serveRequests({
    ...inside,
    parse,
    endpoint: head.endpoint,
    serve: (inner, abort) => {
      asked = true;
      return serveInterceptedRequest(inside, inner, abort);
    },
    onBad: () => {
      asked = true;
    },
  });
  // Some clients verify the certificate only after the handshake.
  if (inside.secure && !asked)
    writeRecord(state, { ...aboutOf(request), verdict: 'error', reason: 'client-tls', detail: SILENT });
}

const SILENT = "the client disconnected without a request: it may not trust the sandbox's certificate authority";

interface Opened {
  client: Socket;
  reader: ByteReader;
  secure: boolean;
}

/** Undefined: the tunnel was closed, and the reason recorded. */
async function openIntercepted(request: Request): Promise<Opened | undefined> {
  const { client, reader, state, head } = request;
  const { port } = head.endpoint;
  if (reader.buffered.length === 0) await inTime(reader.more(), state.limits.headMs);
  // Plain HTTP is accepted on ports other than 443; the same rules apply.
  if (port !== HTTPS && reader.buffered.length > 0 && reader.buffered[0] !== HANDSHAKE)
    return { client, reader, secure: false };
  return acceptTls(request);
}

async function acceptTls(request: Request): Promise<Opened | undefined> {
  const { client, reader, state, head } = request;
  const { host, kind } = head.endpoint;
  const ms = state.limits.headMs;
  const check = await checkServerName(reader, { host, required: kind === 'name', ms });
  if (client.destroyed) return undefined;
  if (!check.ok && state.enforcement.serverName) {
    writeRecord(state, { ...aboutOf(request), verdict: 'deny', reason: 'server-name', detail: check.why });
    endWith(client, check.tls ? UNRECOGNIZED_NAME : NOTHING);
    return undefined;
  }
  try {
    const context = await state.authority.contextFor(head.endpoint);
    const secure = await secureClient(client, { early: reader.release(), context, ms });
    return { client: secure, reader: readBytes(secure), secure: true };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    writeRecord(state, { ...aboutOf(request), verdict: 'error', reason: 'client-tls', detail });
    client.destroy();
    return undefined;
  }
}
