/** Parses headers and framing of requests and responses strictly. Pure. */

const HEAD_MAX = 64 * 1024;
/** No real message has more, and each header is scanned many times */
const HEADERS_MAX = 500;

export type Header = [name: string, value: string];

/** Length of the body after a head. `end`: until the connection closes, for responses only */
export type Framing = { kind: 'none' } | { kind: 'length'; bytes: number } | { kind: 'chunked' } | { kind: 'end' };

export const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * The lines of the first head in `buffer` and its length with the empty line; `more` if it is incomplete.
 * `seen`: bytes scanned by an earlier call, so that a head in small pieces costs no more than a whole one.
 */
export function splitHead(buffer: Buffer, seen = 0): { lines: string[]; bytes: number } | { bad: string } | 'more' {
  const end = buffer.indexOf('\r\n\r\n', Math.max(0, seen - 3));
  // A head of bare line feeds never ends, so the first one is rejected at once.
  const from = Math.max(0, seen - 1);
  const bad = badBytes(buffer.subarray(from, end < 0 ? Math.min(buffer.length, HEAD_MAX + 1) : end + 4), from === 0);
  if (bad !== undefined) return { bad };
  if (end > HEAD_MAX || (end < 0 && buffer.length > HEAD_MAX)) return { bad: 'the head is larger than 64 KiB' };
  return end < 0 ? 'more' : { lines: buffer.toString('latin1', 0, end).split('\r\n'), bytes: end + 4 };
}

/** The first byte of a later region was scanned before: it is included to check the second one. */
function badBytes(region: Buffer, isStart: boolean): string | undefined {
  if (region.includes(0)) return 'a NUL byte in the head';
  for (let at = region.indexOf(10, isStart ? 0 : 1); at >= 0; at = region.indexOf(10, at + 1))
    if (region[at - 1] !== 13) return 'a bare line feed in the head';
  for (let at = region.indexOf(13); at >= 0 && at + 1 < region.length; at = region.indexOf(13, at + 1))
    if (region[at + 1] !== 10) return 'a bare carriage return in the head';
  return undefined;
}

/** @returns a string if malformed, as are folded lines and a space before the colon */
export function parseHeaders(lines: string[]): Header[] | string {
  if (lines.length > HEADERS_MAX) return `more than ${HEADERS_MAX} header fields`;
  const headers: Header[] = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0));
    if (!TOKEN.test(name)) return 'a malformed header field';
    const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: matches control characters on purpose
    if (/[\x00-\x08\x0a-\x1f\x7f]/.test(value)) return 'a control character in a header field';
    headers.push([name, value]);
  }
  return headers;
}

export function valuesOf(headers: Header[], name: string): string[] {
  return headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
}

/** The members of a comma-separated header, in lower case. */
export function listOf(headers: Header[], name: string): string[] {
  return valuesOf(headers, name)
    .flatMap((value) => value.toLowerCase().split(','))
    .map((member) => member.trim());
}

/** Undefined: neither Content-Length nor Transfer-Encoding. A string: malformed. */
export function framingOf(headers: Header[]): Framing | undefined | string {
  // CGI-style servers map a hyphen to an underscore.
  const twin = headers.find(([name]) => /^(content_length|transfer_encoding)$/i.test(name));
  if (twin !== undefined) return `${twin[0]}, which may be read as framing`;
  const encodings = valuesOf(headers, 'transfer-encoding');
  const lengths = valuesOf(headers, 'content-length');
  if (encodings.length > 0 && lengths.length > 0) return 'both Content-Length and Transfer-Encoding';
  if (encodings.length > 0)
    return encodings.length === 1 && encodings[0]?.toLowerCase() === 'chunked'
      ? { kind: 'chunked' }
      : 'a Transfer-Encoding other than chunked';
  if (lengths.length > 1) return 'more than one Content-Length';
  const [length] = lengths;
  if (length === undefined) return undefined;
  return /^(0|[1-9]\d{0,14})$/.test(length) ? { kind: 'length', bytes: Number(length) } : 'a malformed Content-Length';
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
  'http2-settings',
];

/** Removes hop-by-hop headers: the usual ones, those that Connection nominates, and the framing. */
export function endToEnd(headers: Header[]): Header[] {
  const dropped = new Set([...HOP_BY_HOP, ...listOf(headers, 'connection'), 'content-length', 'transfer-encoding']);
  return headers.filter(([name]) => !dropped.has(name.toLowerCase()));
}

/** Framing headers of a forwarded message. */
export function framingHeader(framing: Framing): Header[] {
  if (framing.kind === 'chunked') return [['Transfer-Encoding', 'chunked']];
  return framing.kind === 'length' ? [['Content-Length', String(framing.bytes)]] : [];
}

/** Encodes as Latin-1, as it was read, so that every byte is preserved. */
export function headBytes(line: string, headers: Header[]): Buffer {
  return Buffer.from(`${line}\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`, 'latin1');
}
