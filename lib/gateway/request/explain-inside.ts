/** Sends a denial inside the requested connection, for programs without proxy support; dials nothing. */
import type { Socket } from 'node:net';
import { canonicalHost, type Host } from '../address/canonical-host.ts';
import { type ByteReader, readBytes } from '../http/byte-reader.ts';
import { splitHead, valuesOf } from '../http/headers.ts';
import type { RequestHead } from '../http/request-head.ts';
import { endWith } from '../http/socket-write.ts';
import { plainResponse } from '../policy/denial-text.ts';
import { createHelloReader } from '../tls/client-hello.ts';
import { secureClient } from '../tls/tls.ts';
import type { Denial } from './denial.ts';
import type { Request } from './request.ts';
import { inTime } from './request-loop.ts';

const ESTABLISHED = 'HTTP/1.1 200 Connection established\r\n\r\n';
/** HTTP and HTTPS: the client speaks first, on a slow guest seconds after it has connected */
const CLIENT_FIRST: ReadonlySet<number> = new Set([80, 443]);
/** On other ports a client that speaks first sends its bytes within this time; one that waits for the server is not kept longer */
const FIRST_MS = 3_000;
const HANDSHAKE = 22;

/** Set by the guest's redirector for connections of other programs; it grants nothing. */
export function wantsDenialInside({ headers }: RequestHead): boolean {
  return valuesOf(headers, 'sbx-explain').join() === 'inside';
}

/** Accepts the tunnel, then explains in it. */
export async function sendDenialInside(request: Request, denial: Denial): Promise<void> {
  request.client.write(ESTABLISHED);
  await explainInside(request, denial);
}

/** Responds to HTTP, also inside TLS if the client trusts the sandbox's CA; closes any other connection. For a tunnel that was accepted. */
export async function explainInside(request: Request, denial: Denial): Promise<void> {
  const { client, reader, state, head } = request;
  const ms = CLIENT_FIRST.has(head.endpoint.port) ? state.limits.headMs : FIRST_MS;
  if (reader.buffered.length === 0) await inTime(reader.more(), ms);
  if (reader.buffered.length === 0) return void client.destroy();
  const opened = reader.buffered[0] === HANDSHAKE ? await openTls(request) : { client, reader };
  if (opened === undefined || !(await isHttp(opened.reader, state.limits.headMs))) return void client.destroy();
  opened.client.once('close', () => client.destroy());
  endWith(opened.client, plainResponse(denial));
}

async function openTls(request: Request): Promise<{ client: Socket; reader: ByteReader } | undefined> {
  const { client, reader, state, head } = request;
  // Each new name costs a signature, so a guest gets few of them.
  if (!state.explanations.take()) return undefined;
  try {
    const context = await state.authority.contextFor(nameIn(reader.buffered) ?? head.endpoint);
    const secure = await secureClient(client, { early: reader.release(), context, ms: state.limits.headMs });
    return { client: secure, reader: readBytes(secure) };
  } catch {
    return undefined;
  }
}

/** The SNI name, if the first bytes hold it. */
function nameIn(bytes: Buffer): Host | undefined {
  const hello = createHelloReader().read(bytes);
  const named = typeof hello === 'object' && 'sni' in hello ? hello.sni : undefined;
  const host = named === undefined ? undefined : canonicalHost(named);
  return host?.kind === 'name' ? host : undefined;
}

async function isHttp(reader: ByteReader, ms: number): Promise<boolean> {
  const until = Date.now() + ms;
  for (let seen = 0; ; ) {
    if (!/^[A-Z]{0,20}( |$)/.test(reader.buffered.toString('latin1', 0, 24))) return false;
    const split = splitHead(reader.buffered, seen);
    if (split !== 'more') return 'lines' in split && / HTTP\/1\.[01]$/.test(split.lines[0] ?? '');
    seen = reader.buffered.length;
    if (!(await inTime(reader.more(), until - Date.now()))) return false;
  }
}
