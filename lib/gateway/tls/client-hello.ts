/** Reads the server name from a TLS ClientHello, without a TLS library. Pure. */

export const HELLO_MAX = 64 * 1024;
/** No real client splits its hello into more records or segments */
export const HELLO_PIECES = 64;

export type Hello = { sni: string | undefined } | 'more' | { bad: string };

export interface HelloReader {
  /** `bytes`: all bytes since the start of the connection; each record is read once */
  read(bytes: Buffer): Hello;
}

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const RECORD_HEADER = 5;
const MESSAGE_HEADER = 4;

export function createHelloReader(): HelloReader {
  let at = 0;
  const parts: Buffer[] = [];
  let have = 0;
  return {
    read(bytes) {
      for (;;) {
        if (bytes.length > at && bytes[at] !== HANDSHAKE) return { bad: 'not TLS' };
        if (bytes.length > at + 1 && bytes[at + 1] !== 3) return { bad: 'not TLS' };
        if (at > HELLO_MAX || bytes.length > HELLO_MAX + RECORD_HEADER) return tooLarge();
        if (bytes.length < at + RECORD_HEADER) return 'more';
        const length = bytes.readUInt16BE(at + 3);
        if (length === 0) return { bad: 'an empty TLS record' };
        if (bytes.length < at + RECORD_HEADER + length) return 'more';
        parts.push(bytes.subarray(at + RECORD_HEADER, at + RECORD_HEADER + length));
        if (parts.length > HELLO_PIECES) return { bad: 'a ClientHello in too many records' };
        have += length;
        at += RECORD_HEADER + length;
        const hello = readMessage(parts, have);
        if (hello !== 'more') return hello;
      }
    },
  };
}

function readMessage(parts: Buffer[], have: number): Hello {
  if (parts[0]?.[0] !== CLIENT_HELLO) return { bad: 'not a ClientHello' };
  if (have < MESSAGE_HEADER) return 'more';
  const hello = readClientHello(Buffer.concat(parts));
  if (hello === 'more' || 'bad' in hello) return hello;
  return 'other' in hello ? { bad: 'not a ClientHello' } : { sni: hello.sni };
}

/** Reads the first message of a handshake stream. `other`: it is not a ClientHello. */
export function readClientHello(
  message: Buffer,
): { sni: string | undefined; bytes: number } | { other: true } | { bad: string } | 'more' {
  if (message.length > 0 && message[0] !== CLIENT_HELLO) return { other: true };
  if (message.length < MESSAGE_HEADER) return 'more';
  const bytes = message.readUIntBE(1, 3) + MESSAGE_HEADER;
  if (bytes > HELLO_MAX) return tooLarge();
  if (message.length < bytes) return 'more';
  const hello = readBody(message.subarray(MESSAGE_HEADER, bytes));
  return 'bad' in hello ? hello : { ...hello, bytes };
}

function tooLarge(): { bad: string } {
  return { bad: 'the ClientHello is larger than 64 KiB' };
}

function readBody(body: Buffer): { sni: string | undefined } | { bad: string } {
  try {
    let at = 2 + 32;
    at += 1 + body.readUInt8(at);
    at += 2 + body.readUInt16BE(at);
    at += 1 + body.readUInt8(at);
    if (at === body.length) return { sni: undefined };
    if (at + 2 + body.readUInt16BE(at) !== body.length) return { bad: 'a malformed ClientHello' };
    return readExtensions(body.subarray(at + 2));
  } catch {
    return { bad: 'a malformed ClientHello' };
  }
}

function readExtensions(bytes: Buffer): { sni: string | undefined } | { bad: string } {
  let sni: string | undefined;
  for (let at = 0; at < bytes.length; ) {
    const type = bytes.readUInt16BE(at);
    const length = bytes.readUInt16BE(at + 2);
    const content = bytes.subarray(at + 4, at + 4 + length);
    if (content.length !== length) return { bad: 'a malformed ClientHello' };
    if (type === 0) {
      if (sni !== undefined) return { bad: 'two server names' };
      const size = content.readUInt16BE(3);
      // Exactly one entry, of type host_name.
      if (content.readUInt8(2) !== 0 || content.readUInt16BE(0) !== size + 3 || length !== size + 5)
        return { bad: 'a malformed server name' };
      sni = content.toString('latin1', 5);
    }
    at += 4 + length;
  }
  return { sni };
}
