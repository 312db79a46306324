/** Parses the head of an HTTP/1.1 request from bytes, strictly: what two parsers could read in two ways is refused. Pure. */
import { type Endpoint, parseAuthority } from './host.ts';

export const HEAD_MAX = 64 * 1024;

export interface RequestHead {
  method: string;
  /** CONNECT: the authority; else the path and query, exactly as sent */
  target: string;
  endpoint: Endpoint;
  headers: [name: string, value: string][];
  body: { kind: 'none' } | { kind: 'length'; bytes: number } | { kind: 'chunked' };
}

export type ParsedHead = { head: RequestHead; bytes: number } | { bad: string } | 'more';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

export function parseRequestHead(buffer: Buffer): ParsedHead {
  const end = buffer.indexOf('\r\n\r\n');
  // A head with bare line feeds never ends for us; it is refused as soon as one is seen.
  const region = buffer.subarray(0, end < 0 ? Math.min(buffer.length, HEAD_MAX + 1) : end + 4);
  const bad = badBytes(region);
  if (bad !== undefined) return { bad };
  if (end < 0) return buffer.length > HEAD_MAX ? { bad: 'the head is larger than 64 KiB' } : 'more';
  if (end > HEAD_MAX) return { bad: 'the head is larger than 64 KiB' };
  const [line = '', ...fields] = buffer.toString('latin1', 0, end).split('\r\n');
  const headers = parseFields(fields);
  if (typeof headers === 'string') return { bad: headers };
  const head = parseRequest(line, headers);
  return typeof head === 'string' ? { bad: head } : { head, bytes: end + 4 };
}

function badBytes(region: Buffer): string | undefined {
  for (let at = 0; at < region.length; at += 1) {
    const byte = region[at] ?? 0;
    if (byte === 0) return 'a NUL byte in the head';
    if (byte === 10 && region[at - 1] !== 13) return 'a bare line feed in the head';
    if (byte === 13 && at + 1 < region.length && region[at + 1] !== 10) return 'a bare carriage return in the head';
  }
  return undefined;
}

function parseFields(lines: string[]): [string, string][] | string {
  const headers: [string, string][] = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0));
    // Also refuses folded lines and a space before the colon.
    if (!TOKEN.test(name)) return 'a malformed header field';
    const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    if (/[\x01-\x08\x0b-\x1f\x7f]/.test(value)) return 'a control character in a header field';
    headers.push([name, value]);
  }
  return headers;
}

function parseRequest(line: string, headers: [string, string][]): RequestHead | string {
  const [method = '', target = '', version = '', ...more] = line.split(' ');
  if (more.length > 0 || !TOKEN.test(method) || !/^[\x21-\x7e]+$/.test(target)) return 'a malformed request line';
  if (version !== 'HTTP/1.1' && version !== 'HTTP/1.0') return 'not HTTP/1.1';
  const all = (name: string) => headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
  if (all('upgrade').some((value) => /h2c/i.test(value))) return 'an upgrade to h2c';
  // Without them the upstream would take the body for a request of its own.
  if (nominatedBy(headers).some((name) => FRAMING.includes(name))) return 'Connection names a header of the body';
  const body = bodyOf(all('content-length'), all('transfer-encoding'));
  if (typeof body === 'string') return body;
  const hosts = all('host');
  if (hosts.length > 1) return 'more than one Host';
  if (method === 'CONNECT') return connectRequest(target, headers, body);
  return forwardRequest(method, target, headers, body, hosts[0]);
}

function connectRequest(
  target: string,
  headers: RequestHead['headers'],
  body: RequestHead['body'],
): RequestHead | string {
  const endpoint = parseAuthority(target);
  if (endpoint === undefined) return 'CONNECT needs host:port';
  if (body.kind !== 'none') return 'CONNECT with a body';
  return { method: 'CONNECT', target, endpoint, headers, body };
}

function forwardRequest(
  method: string,
  target: string,
  headers: RequestHead['headers'],
  body: RequestHead['body'],
  host: string | undefined,
): RequestHead | string {
  const match = /^http:\/\/([^/?#]*)([/?][^#]*)?$/i.exec(target);
  if (match === null) return 'a proxy request needs an absolute http:// address';
  const endpoint = parseAuthority(match[1] ?? '', 80);
  if (endpoint === undefined) return 'a malformed host';
  const named = host === undefined ? undefined : parseAuthority(host, 80);
  if (named?.host !== endpoint.host || named.port !== endpoint.port) return 'Host differs from the address';
  const path = match[2] ?? '/';
  return { method, target: path.startsWith('/') ? path : `/${path}`, endpoint, headers, body };
}

function bodyOf(lengths: string[], encodings: string[]): RequestHead['body'] | string {
  if (encodings.length > 0 && lengths.length > 0) return 'both Content-Length and Transfer-Encoding';
  if (encodings.length > 0)
    return encodings.length === 1 && encodings[0]?.toLowerCase() === 'chunked'
      ? { kind: 'chunked' }
      : 'a Transfer-Encoding other than chunked';
  if (lengths.length > 1) return 'more than one Content-Length';
  const [length] = lengths;
  if (length === undefined) return { kind: 'none' };
  if (!/^(0|[1-9]\d{0,14})$/.test(length)) return 'a malformed Content-Length';
  return length === '0' ? { kind: 'none' } : { kind: 'length', bytes: Number(length) };
}

const HOP_BY_HOP = [
  'connection',
  'proxy-connection',
  'keep-alive',
  'proxy-authorization',
  'proxy-authenticate',
  'te',
  'trailer',
  'upgrade',
];

const FRAMING = ['content-length', 'transfer-encoding'];

/** The headers that Connection declares to be for this hop alone. */
function nominatedBy(headers: RequestHead['headers']): string[] {
  return headers
    .filter(([name]) => name.toLowerCase() === 'connection')
    .flatMap(([, value]) =>
      value
        .toLowerCase()
        .split(',')
        .map((part) => part.trim()),
    );
}

/** The head as it goes to the upstream: origin form, one request a connection, nothing hop-by-hop. */
export function upstreamHead(head: RequestHead): string {
  const dropped = new Set([...HOP_BY_HOP, ...nominatedBy(head.headers), 'host']);
  const { host, port, literal } = head.endpoint;
  const shown = literal && host.includes(':') ? `[${host}]` : host;
  const fields = head.headers
    .filter(([name]) => !dropped.has(name.toLowerCase()))
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return `${head.method} ${head.target} HTTP/1.1\r\nHost: ${shown}${port === 80 ? '' : `:${port}`}\r\n${fields.join('')}Connection: close\r\n\r\n`;
}
