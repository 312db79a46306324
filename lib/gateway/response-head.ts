/** Parses the head of an upstream's answer, so that a kept-alive client always knows where the answer ends. Pure. */
import {
  endToEnd,
  type Field,
  type Framing,
  framingField,
  framingOf,
  headBytes,
  parseFields,
  splitHead,
} from './fields.ts';
import type { RequestHead } from './request-head.ts';

export interface ResponseHead {
  status: number;
  words: string;
  fields: Field[];
  body: Framing;
  /** 1xx: another head follows */
  interim: boolean;
}

export type ParsedResponse = { head: ResponseHead; bytes: number } | { bad: string } | 'more';

export function parseResponseHead(buffer: Buffer, request: RequestHead, seen = 0): ParsedResponse {
  const split = splitHead(buffer, seen);
  if (split === 'more' || 'bad' in split) return split;
  const [line = '', ...lines] = split.lines;
  const match = /^HTTP\/1\.[01] ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/.exec(line);
  if (match === null) return { bad: 'not an answer of HTTP/1.1' };
  const status = Number(match[1]);
  const fields = parseFields(lines);
  if (typeof fields === 'string') return { bad: fields };
  if (status === 101) return { bad: 'a switch of protocols that nobody asked for' };
  const framing = framingOf(fields);
  if (typeof framing === 'string') return { bad: framing };
  if (framing?.kind === 'chunked' && request.version === '1.0') return { bad: 'chunked to HTTP/1.0' };
  const interim = status < 200;
  const bodiless = interim || status === 204 || status === 304 || request.method === 'HEAD';
  const body: Framing = bodiless ? { kind: 'none' } : (framing ?? { kind: 'end' });
  return { head: { status, words: match[2] ?? '', fields, body, interim }, bytes: split.bytes };
}

/** The head as it goes to the client, with our own framing. */
export function clientHead(head: ResponseHead, keepAlive: boolean): Buffer {
  // An answer to HEAD, and 304, tell the length of a body that does not follow.
  const telling = head.body.kind === 'none' && !head.interim && head.status !== 204;
  const told = head.fields.filter(([name]) => telling && name.toLowerCase() === 'content-length');
  return headBytes(`HTTP/1.1 ${head.status} ${head.words}`, [
    ...endToEnd(head.fields),
    ...told,
    ...framingField(head.body),
    ...(head.interim ? [] : [['Connection', keepAlive ? 'keep-alive' : 'close'] satisfies Field]),
  ]);
}
