/** Reads the server name from a TLS ClientHello, without a TLS library: pure. */

export const HELLO_MAX = 64 * 1024;

export type Hello = { sni: string | undefined } | 'more' | { bad: string };

/** More pieces than this are no ClientHello but work for us */
const RECORDS_MAX = 1024;

/** Joins handshake records until the ClientHello is whole. */
export function parseClientHello(buffer: Buffer): Hello {
  const parts: Buffer[] = [];
  let have = 0;
  for (let at = 0; ; ) {
    if (parts.length > RECORDS_MAX) return { bad: 'the ClientHello is in too many records' };
    if (buffer.length > at && buffer[at] !== 22) return { bad: 'not TLS' };
    if (buffer.length < at + 5)
      return buffer.length > HELLO_MAX ? { bad: 'the ClientHello is larger than 64 KiB' } : 'more';
    if (buffer[at + 1] !== 3) return { bad: 'not TLS' };
    const length = buffer.readUInt16BE(at + 3);
    if (length === 0) return { bad: 'an empty TLS record' };
    const part = buffer.subarray(at + 5, at + 5 + length);
    parts.push(part);
    have += part.length;
    // The first four bytes: type and length. All is joined once, when it is there.
    const start = Buffer.concat(parts.slice(0, 4)).subarray(0, 4);
    if (start.length > 0 && start[0] !== 1) return { bad: 'not a ClientHello' };
    const wanted = start.length === 4 ? start.readUIntBE(1, 3) + 4 : Number.POSITIVE_INFINITY;
    if (wanted !== Number.POSITIVE_INFINITY && wanted > HELLO_MAX)
      return { bad: 'the ClientHello is larger than 64 KiB' };
    if (have >= wanted) return readHello(Buffer.concat(parts).subarray(4, wanted));
    at += 5 + length;
  }
}

function readHello(body: Buffer): Hello {
  try {
    let at = 2 + 32;
    at += 1 + body.readUInt8(at);
    at += 2 + body.readUInt16BE(at);
    at += 1 + body.readUInt8(at);
    if (at === body.length) return { sni: undefined };
    const end = at + 2 + body.readUInt16BE(at);
    if (end > body.length) return { bad: 'a malformed ClientHello' };
    let sni: string | undefined;
    for (at += 2; at < end; ) {
      const type = body.readUInt16BE(at);
      const length = body.readUInt16BE(at + 2);
      if (type === 0) {
        if (sni !== undefined) return { bad: 'two server names' };
        const size = body.readUInt16BE(at + 7);
        if (body.readUInt8(at + 6) !== 0 || size + 5 !== length) return { bad: 'a malformed server name' };
        sni = body.toString('latin1', at + 9, at + 9 + size);
      }
      at += 4 + length;
    }
    return { sni };
  } catch {
    return { bad: 'a malformed ClientHello' };
  }
}
