/** The server's side of WebSocket (RFC 6455), as much as the doubles need: text messages, pings, the end. No extensions. */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const OPCODE = { continuation: 0, text: 1, close: 8, ping: 9, pong: 10 } as const;

/** Answers the upgrade, then calls `onText` for each whole message; what it returns is sent as text messages. */
export function serveWebSocket(
  { request, socket, head }: { request: IncomingMessage; socket: Duplex; head: Buffer },
  onText: (text: string) => string[],
): void {
  const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}${GUID}`).digest('base64');
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
  socket.write(`${[...lines, `Sec-WebSocket-Accept: ${accept}`].join('\r\n')}\r\n\r\n`);
  let held = head;
  let text = Buffer.alloc(0);
  const take = () => {
    for (let frame = frameOf(held); frame !== undefined; frame = frameOf(held)) {
      held = held.subarray(frame.length);
      if (frame.opcode === OPCODE.ping) socket.write(encodeFrame(OPCODE.pong, frame.payload));
      if (frame.opcode === OPCODE.close) socket.end(encodeFrame(OPCODE.close, frame.payload));
      if (frame.opcode !== OPCODE.text && frame.opcode !== OPCODE.continuation) continue;
      text = Buffer.concat([text, frame.payload]);
      if (!frame.last) continue;
      for (const answer of onText(text.toString())) socket.write(encodeFrame(OPCODE.text, Buffer.from(answer)));
      text = Buffer.alloc(0);
    }
  };
  socket.on('data', (bytes: Buffer) => {
    held = Buffer.concat([held, bytes]);
    take();
  });
  socket.on('error', () => socket.destroy());
  take();
}

interface Frame {
  opcode: number;
  last: boolean;
  payload: Buffer;
  /** Bytes of the whole frame */
  length: number;
}

/** Undefined: more bytes are needed. Also reads a server's frames, which carry no mask. */
export function frameOf(bytes: Buffer): Frame | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes.readUInt8(1) & 0x7f;
  const extra = short === 126 ? 2 : short === 127 ? 8 : 0;
  const masked = (bytes.readUInt8(1) & 0x80) !== 0;
  const start = 2 + extra + (masked ? 4 : 0);
  if (bytes.length < start) return undefined;
  const size = extra === 2 ? bytes.readUInt16BE(2) : extra === 8 ? Number(bytes.readBigUInt64BE(2)) : short;
  if (bytes.length < start + size) return undefined;
  const body = bytes.subarray(start, start + size);
  const payload = masked ? unmasked(body, bytes.subarray(start - 4, start)) : body;
  const first = bytes.readUInt8(0);
  return { opcode: first & 0x0f, last: (first & 0x80) !== 0, payload, length: start + size };
}

/** `mask`: 4 bytes, as a client must */
export function encodeFrame(opcode: number, payload: Buffer, mask?: Buffer): Buffer {
  const size = payload.length;
  const flag = mask === undefined ? 0 : 0x80;
  const head = Buffer.alloc(size < 126 ? 2 : size < 65_536 ? 4 : 10);
  head.writeUInt8(0x80 | opcode, 0);
  head.writeUInt8(flag | (size < 126 ? size : size < 65_536 ? 126 : 127), 1);
  if (head.length === 4) head.writeUInt16BE(size, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(size), 2);
  if (mask === undefined) return Buffer.concat([head, payload]);
  return Buffer.concat([head, mask, unmasked(payload, mask)]);
}

/** The same both ways */
const unmasked = (bytes: Buffer, mask: Buffer) =>
  Buffer.from(bytes.map((byte, index) => byte ^ (mask[index % 4] ?? 0)));
