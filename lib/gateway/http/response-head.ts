/** Parses the head of an upstream response, so that its end is always known on keep-alive. Pure. */
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
} from './headers.ts';
import type { RequestHead } from './request-head.ts';

export interface ResponseHead {
  status: number;
  reasonPhrase: string;
  headers: Header[];
  body: Framing;
  /** 1xx: another head follows */
  interim: boolean;
  /** The upstream takes another request on this connection, once the body is read */
  reusable: boolean;
}

export type ParsedResponse = { head: ResponseHead; bytes: number } | { bad: string } | 'more';

/** `upgrade`: checks a 101 for a requested upgrade; undefined: none was requested. */
export function parseResponseHead(
  buffer: Buffer,
  request: RequestHead,
  { seen = 0, upgrade }: { seen?: number; upgrade?: ((headers: Header[]) => boolean) | undefined } = {},
): ParsedResponse {
  const split = splitHead(buffer, seen);
  if (split === 'more' || 'bad' in split) return split;
  const [line = '', ...lines] = split.lines;
  const match = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/.exec(line);
  if (match === null) return { bad: 'not an HTTP/1.1 response' };
  const status = Number(match[2]);
  const headers = parseHeaders(lines);
  if (typeof headers === 'string') return { bad: headers };
  if (status === 101 && upgrade?.(headers) !== true) return { bad: 'an unrequested protocol upgrade' };
  const framing = framingOf(headers);
  if (typeof framing === 'string') return { bad: framing };
  if (framing?.kind === 'chunked' && request.version === '1.0') return { bad: 'chunked to HTTP/1.0' };
  const interim = status < 200 && status !== 101;
  const bodiless = status < 200 || status === 204 || status === 304 || request.method === 'HEAD';
  const body: Framing = bodiless ? { kind: 'none' } : (framing ?? { kind: 'end' });
  const reusable = match[1] === '1' && !listOf(headers, 'connection').includes('close');
  return { head: { status, reasonPhrase: match[3] ?? '', headers, body, interim, reusable }, bytes: split.bytes };
}

/** Builds the head for the client, with new framing. */
export function clientHead(head: ResponseHead, keepAlive: boolean): Buffer {
  // A response to HEAD, and 304, declare the length of a body that does not follow.
  const declares = head.body.kind === 'none' && !head.interim && head.status !== 204;
  const declared = head.headers.filter(([name]) => declares && name.toLowerCase() === 'content-length');
  const line = `HTTP/1.1 ${head.status} ${head.reasonPhrase}`;
  if (head.status === 101)
    return headBytes(line, [...endToEnd(head.headers), ['Upgrade', 'websocket'], ['Connection', 'upgrade']]);
  return headBytes(line, [
    ...endToEnd(head.headers),
    ...declared,
    ...framingHeader(head.body),
    ...(head.interim ? [] : [['Connection', keepAlive ? 'keep-alive' : 'close'] satisfies Header]),
  ]);
}
