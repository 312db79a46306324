/** Parses the head of a proxy request strictly: rejects what two parsers could read differently. Pure. */
import { authorityOf, type Endpoint, parseAuthority } from '../address/canonical-host.ts';
import {
  endToEnd,
  type Framing,
  framingHeader,
  framingOf,
  type Header,
  headBytes,
  listOf,
  parseHeaders,
  splitHead,
  TOKEN,
  valuesOf,
} from './headers.ts';

export interface RequestHead {
  method: string;
  /** CONNECT: the authority; else the path and query, exactly as sent */
  target: string;
  endpoint: Endpoint;
  version: '1.0' | '1.1';
  headers: Header[];
  body: Framing;
  /** The client may send another request on this connection */
  keepAlive: boolean;
}

/** `misdirected`: well formed, but not for the tunnel's host */
export type ParsedHead = { head: RequestHead; bytes: number } | { bad: string; misdirected?: true } | 'more';

/** `seen`: bytes of `buffer` for which an earlier call returned `more`. */
export type HeadParser = (buffer: Buffer, seen?: number) => ParsedHead;

/** Parses requests to a proxy: CONNECT, or absolute form. */
export const parseRequestHead: HeadParser = headParser((method, target, common, host) =>
  method === 'CONNECT' ? connectRequest(target, common) : forwardRequest(target, common, host),
);

/** Parses requests inside a tunnel to `endpoint`: origin form, or absolute form of the same host. */
export function innerHeadParser(endpoint: Endpoint, secure: boolean, sameHost = true): HeadParser {
  return headParser((method, target, common, host) =>
    method === 'CONNECT'
      ? 'CONNECT inside a tunnel'
      : innerRequest(target, common, { host: sameHost ? host : undefined, endpoint, secure }),
  );
}

type Form = (method: string, target: string, common: Common, host: string | undefined) => RequestHead | Bad | string;

interface Bad {
  bad: string;
  misdirected: true;
}

function headParser(form: Form): HeadParser {
  return (buffer, seen = 0) => {
    const split = splitHead(buffer, seen);
    if (split === 'more' || 'bad' in split) return split;
    const [line = '', ...lines] = split.lines;
    const headers = parseHeaders(lines);
    if (typeof headers === 'string') return { bad: headers };
    const head = parseRequest(line, headers, form);
    if (typeof head === 'string') return { bad: head };
    return 'bad' in head ? head : { head, bytes: split.bytes };
  };
}

function parseRequest(line: string, headers: Header[], form: Form): RequestHead | Bad | string {
  const [method = '', target = '', versionText = '', ...more] = line.split(' ');
  if (more.length > 0 || !TOKEN.test(method) || !/^[\x21-\x7e]+$/.test(target)) return 'a malformed request line';
  const version = versionText === 'HTTP/1.1' ? '1.1' : versionText === 'HTTP/1.0' ? '1.0' : undefined;
  if (version === undefined) return 'not HTTP/1.1';
  if (listOf(headers, 'upgrade').some((protocol) => protocol.startsWith('h2c'))) return 'an upgrade to h2c';
  if (listOf(headers, 'te').some((coding) => coding.startsWith('chunked'))) return 'chunked in TE';
  const body: Framing | string = framingOf(headers) ?? { kind: 'none' };
  if (typeof body === 'string') return body;
  if (body.kind === 'chunked' && version === '1.0') return 'chunked in HTTP/1.0';
  const hosts = valuesOf(headers, 'host');
  if (hosts.length > 1) return 'more than one Host';
  if (hosts.length === 0 && version === '1.1') return 'no Host';
  const connection = [...listOf(headers, 'connection'), ...listOf(headers, 'proxy-connection')];
  const common: Common = {
    method,
    version,
    headers,
    body,
    keepAlive: version === '1.1' && !connection.includes('close'),
  };
  return form(method, target, common, hosts[0]);
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

interface Inside {
  host: string | undefined;
  endpoint: Endpoint;
  secure: boolean;
}

function innerRequest(target: string, common: Common, { host, endpoint, secure }: Inside): RequestHead | Bad | string {
  const port = secure ? 443 : 80;
  const absolute = /^(https?):\/\/([^/?#]*)([/?][^#]*)?$/i.exec(target);
  const path = absolute === null ? target : (absolute[3] ?? '/');
  if (absolute === null && !target.startsWith('/')) return 'neither a path nor an absolute address';
  if (target.includes('#')) return 'a fragment in the address';
  const scheme = secure ? 'https' : 'http';
  if (absolute !== null && absolute[1]?.toLowerCase() !== scheme)
    return { bad: `the address is not of ${scheme}`, misdirected: true };
  for (const authority of [absolute?.[2], host]) {
    if (authority === undefined) continue;
    const named = parseAuthority(authority, port);
    if (named === undefined) return 'a malformed host';
    if (named.host !== endpoint.host || named.port !== endpoint.port)
      return {
        bad: `the request is for ${authorityOf(named)}, the tunnel for ${authorityOf(endpoint)}`,
        misdirected: true,
      };
  }
  return { ...common, endpoint, target: path.startsWith('/') ? path : `/${path}` };
}

export interface UpstreamForm {
  /** The upstream is a proxy of the host: the absolute form */
  proxy?: { authorization: string | undefined } | undefined;
  /** Omitted from Host: 80, or 443 inside TLS */
  usualPort?: number;
  /** Default: one request per connection */
  keepAlive?: boolean;
  /** Default: the end-to-end headers of the client */
  headers?: Header[];
  /** Protocol to upgrade to */
  upgrade?: string;
}

/** Builds the head for the upstream, with new framing and hop-by-hop headers. */
export function upstreamHead(head: RequestHead, form: UpstreamForm = {}): Buffer {
  const { proxy, usualPort = 80, upgrade } = form;
  const full = authorityOf(head.endpoint);
  const authority = head.endpoint.port === usualPort ? full.slice(0, -`:${usualPort}`.length) : full;
  const target = proxy === undefined ? head.target : `http://${authority}${head.target}`;
  const login: Header[] = proxy?.authorization === undefined ? [] : [['Proxy-Authorization', proxy.authorization]];
  return headBytes(`${head.method} ${target} HTTP/${head.version}`, [
    ['Host', authority],
    ...(form.headers ?? endToEnd(head.headers)).filter(([name]) => name.toLowerCase() !== 'host'),
    ...login,
    ...framingHeader(head.body),
    ...(upgrade === undefined ? [] : [['Upgrade', upgrade] satisfies Header]),
    ['Connection', upgrade !== undefined ? 'upgrade' : form.keepAlive ? 'keep-alive' : 'close'],
  ]);
}
