/** Parses the head of a proxy request from bytes, strictly: what two parsers could read in two ways is refused. Pure. */
import { authorityOf, type Endpoint, parseAuthority } from './canonical-host.ts';
import {
  endToEnd,
  type Field,
  type Framing,
  framingField,
  framingOf,
  headBytes,
  listOf,
  parseFields,
  splitHead,
  TOKEN,
  valuesOf,
} from './fields.ts';

export interface RequestHead {
  method: string;
  /** CONNECT: the authority; else the path and query, exactly as sent */
  target: string;
  endpoint: Endpoint;
  version: '1.0' | '1.1';
  fields: Field[];
  body: Framing;
  /** The client would send another request on this connection */
  keepAlive: boolean;
}

export type ParsedHead = { head: RequestHead; bytes: number } | { bad: string } | 'more';

/** `seen`: bytes of `buffer` that an earlier call answered with `more`. */
export function parseRequestHead(buffer: Buffer, seen = 0): ParsedHead {
  const split = splitHead(buffer, seen);
  if (split === 'more' || 'bad' in split) return split;
  const [line = '', ...lines] = split.lines;
  const fields = parseFields(lines);
  if (typeof fields === 'string') return { bad: fields };
  const head = parseRequest(line, fields);
  return typeof head === 'string' ? { bad: head } : { head, bytes: split.bytes };
}

function parseRequest(line: string, fields: Field[]): RequestHead | string {
  const [method = '', target = '', versionText = '', ...more] = line.split(' ');
  if (more.length > 0 || !TOKEN.test(method) || !/^[\x21-\x7e]+$/.test(target)) return 'a malformed request line';
  const version = versionText === 'HTTP/1.1' ? '1.1' : versionText === 'HTTP/1.0' ? '1.0' : undefined;
  if (version === undefined) return 'not HTTP/1.1';
  if (listOf(fields, 'upgrade').some((protocol) => protocol.startsWith('h2c'))) return 'an upgrade to h2c';
  if (listOf(fields, 'te').some((coding) => coding.startsWith('chunked'))) return 'chunked in TE';
  const body: Framing | string = framingOf(fields) ?? { kind: 'none' };
  if (typeof body === 'string') return body;
  if (body.kind === 'chunked' && version === '1.0') return 'chunked in HTTP/1.0';
  const hosts = valuesOf(fields, 'host');
  if (hosts.length > 1) return 'more than one Host';
  if (hosts.length === 0 && version === '1.1') return 'no Host';
  const connection = [...listOf(fields, 'connection'), ...listOf(fields, 'proxy-connection')];
  const common: Common = {
    method,
    version,
    fields,
    body,
    keepAlive: version === '1.1' && !connection.includes('close'),
  };
  return method === 'CONNECT' ? connectRequest(target, common) : forwardRequest(target, common, hosts[0]);
}

type Common = Omit<RequestHead, 'target' | 'endpoint'>;

function connectRequest(target: string, common: Common): RequestHead | string {
  const endpoint = parseAuthority(target);
  if (endpoint === undefined) return 'CONNECT needs host:port';
  const empty = common.body.kind === 'none' || (common.body.kind === 'length' && common.body.bytes === 0);
  return empty ? { ...common, target, endpoint } : 'CONNECT with a body';
}

function forwardRequest(target: string, common: Common, host: string | undefined): RequestHead | string {
  const match = /^http:\/\/([^/?#]*)([/?][^#]*)?$/i.exec(target);
  if (match === null) return 'a proxy request needs an absolute http:// address';
  const endpoint = parseAuthority(match[1] ?? '', 80);
  if (endpoint === undefined) return 'a malformed host';
  if (host !== undefined) {
    const named = parseAuthority(host, 80);
    if (named?.host !== endpoint.host || named.port !== endpoint.port) return 'Host differs from the address';
  }
  const path = match[2] ?? '/';
  return { ...common, endpoint, target: path.startsWith('/') ? path : `/${path}` };
}

/**
 * The head as it goes to the upstream: one request a connection, our own framing, nothing hop-by-hop. Origin form; the
 * absolute form where a proxy of the host is the upstream.
 */
export function upstreamHead(head: RequestHead, proxy?: { authorization: string | undefined }): Buffer {
  const full = authorityOf(head.endpoint);
  const authority = head.endpoint.port === 80 ? full.slice(0, -':80'.length) : full;
  const target = proxy === undefined ? head.target : `http://${authority}${head.target}`;
  const login: Field[] = proxy?.authorization === undefined ? [] : [['Proxy-Authorization', proxy.authorization]];
  return headBytes(`${head.method} ${target} HTTP/${head.version}`, [
    ['Host', authority],
    ...endToEnd(head.fields).filter(([name]) => name.toLowerCase() !== 'host'),
    ...login,
    ...framingField(head.body),
    ['Connection', 'close'],
  ]);
}
