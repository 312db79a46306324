/** Names of files are bytes, the policy's patterns are text: a reversible reading of one as the other. */

/** Where bytes that are no UTF-8 are put: lone surrogates, which no valid text holds */
const ESCAPE = 0xdc00;
/** By the flag `u` only halves that stand alone */
const ESCAPED = /[\udc80-\udcff]/u;
const BEYOND_ASCII = /[\x80-\xff]/;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Each name by itself: one that is no UTF-8 leaves the others readable. */
export function textOfPath(path: Buffer): string {
  const bytes = path.toString('latin1');
  return BEYOND_ASCII.test(bytes) ? bytes.split('/').map(textOfName).join('/') : bytes;
}

/** @returns bytes as a latin1 string, as the server's tables hold names */
export function bytesOfPath(text: string): string {
  return text.split('/').map(bytesOfName).join('/');
}

function textOfName(bytes: string): string {
  try {
    return decoder.decode(Buffer.from(bytes, 'latin1'));
  } catch {
    return bytes.replace(/[\x80-\xff]/g, (byte) => String.fromCharCode(ESCAPE + byte.charCodeAt(0)));
  }
}

function bytesOfName(text: string): string {
  if (!ESCAPED.test(text)) return Buffer.from(text).toString('latin1');
  return text.replace(/[\udc80-\udcff]/gu, (escaped) => String.fromCharCode(escaped.charCodeAt(0) - ESCAPE));
}
