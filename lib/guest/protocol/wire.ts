/**
 * The protocol between host and guest, over one byte pipe: frames `[u32 length][u8 type][u32 stream][payload]`, many streams, credit for
 * each channel of a stream. Pure: bytes in, frames out. Shared by both sides.
 */

/** Largest payload of a frame, in bytes */
export const MAX_PAYLOAD = 32 * 1024;

/** Bytes that a sender may have in flight on one channel before the receiver grants more */
export const WINDOW = 512 * 1024;

/** Length of a HELLO's nonce */
export const NONCE_BYTES = 16;

const HEADER = 9;

/** Precedes every HELLO. No frame header looks like it, since its length would be too large */
export const MAGIC = Buffer.from('\xff\xf5sbx-wire-1\r\n\xff\xfa', 'latin1');

export const TYPE = {
  /** A new session: payload is its nonce. The guest answers with the same */
  hello: 1,
  /** JSON `{service, body}` */
  open: 2,
  /** First byte is the channel */
  data: 3,
  /** First byte is the channel: no more data on it */
  end: 4,
  /** u8 channel, u32 bytes granted */
  window: 5,
  /** JSON: a message of the service, for example a signal or a new terminal size */
  control: 6,
  /** JSON: the stream's result; nothing follows */
  close: 7,
  /** The stream is aborted; JSON `{message}` */
  reset: 8,
  /** The beginning of a JSON that is too long for one frame; the next frames continue it */
  part: 9,
} as const;

export interface Frame {
  type: number;
  stream: number;
  payload: Buffer;
}

export function encode(type: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const frame = Buffer.allocUnsafe(HEADER + payload.length);
  frame.writeUInt32BE(payload.length, 0);
  frame[4] = type;
  frame.writeUInt32BE(stream, 5);
  payload.copy(frame, HEADER);
  return frame;
}

/** Encodes one frame, or several for a long value: they are written as one, so that no other frame comes between. */
export function encodeJson(type: number, stream: number, value: unknown): Buffer {
  const bytes = Buffer.from(JSON.stringify(value));
  const frames: Buffer[] = [];
  let at = 0;
  for (; bytes.length - at > MAX_PAYLOAD; at += MAX_PAYLOAD)
    frames.push(encode(TYPE.part, stream, bytes.subarray(at, at + MAX_PAYLOAD)));
  const last = encode(type, stream, bytes.subarray(at));
  return frames.length === 0 ? last : Buffer.concat([...frames, last]);
}

/** Encodes one frame without copying the data twice. */
export function encodeData(stream: number, channel: number, data: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(HEADER + 1 + data.length);
  frame.writeUInt32BE(data.length + 1, 0);
  frame[4] = TYPE.data;
  frame.writeUInt32BE(stream, 5);
  frame[9] = channel;
  data.copy(frame, HEADER + 1);
  return frame;
}

export function encodeWindow(stream: number, channel: number, bytes: number): Buffer {
  const payload = Buffer.allocUnsafe(5);
  payload[0] = channel;
  payload.writeUInt32BE(bytes, 1);
  return encode(TYPE.window, stream, payload);
}

export function hello(nonce: Buffer): Buffer {
  return Buffer.concat([MAGIC, encode(TYPE.hello, 0, nonce)]);
}

/** Completes any frame that a dead session left half sent: longer than the longest frame. */
export function resyncPadding(): Buffer {
  return Buffer.alloc(HEADER + MAX_PAYLOAD + 64);
}

/** Sent by a starting agent so that clients of the previous one see the restart. No HELLO of a client has this nonce. */
export function restartGreeting(): Buffer {
  return Buffer.concat([resyncPadding(), hello(Buffer.alloc(NONCE_BYTES))]);
}

/**
 * Splits a byte stream into frames. It starts out of sync and synchronizes at `MAGIC`; an invalid header puts it out of sync again, so that
 * the leftover of a dead session is never read as frames.
 */
export class Decoder {
  #buffer: Buffer = Buffer.alloc(0);
  #synced = false;
  /** Chunks after `#buffer`, not parsed until the frame is complete */
  #more: Buffer[] = [];
  /** Bytes missing until then */
  #missing = 0;

  push(chunk: Buffer): Frame[] {
    this.#more.push(chunk);
    this.#missing -= chunk.length;
    if (this.#missing > 0) return [];
    const came = this.#more.splice(0);
    this.#buffer = this.#buffer.length === 0 && came.length === 1 ? chunk : Buffer.concat([this.#buffer, ...came]);
    this.#missing = 0;
    const frames: Frame[] = [];
    for (;;) {
      if (!this.#synced && !this.#sync()) return frames;
      const next = this.#next();
      if (next === 'more') return frames;
      if (next !== 'lost') frames.push(next);
    }
  }

  #sync(): boolean {
    const at = this.#buffer.indexOf(MAGIC);
    if (at < 0) {
      this.#buffer = Buffer.from(this.#buffer.subarray(Math.max(0, this.#buffer.length - MAGIC.length + 1)));
      return false;
    }
    this.#buffer = this.#buffer.subarray(at + MAGIC.length);
    this.#synced = true;
    return true;
  }

  #next(): Frame | 'more' | 'lost' {
    const buffer = this.#buffer;
    if (buffer.length < HEADER) {
      // The magic of a new session may come in place of a header.
      if (buffer.length > 0 && buffer[0] === MAGIC[0]) this.#synced = false;
      return this.#synced ? 'more' : 'lost';
    }
    const length = buffer.readUInt32BE(0);
    const type = buffer[4] ?? 0;
    if (type < TYPE.hello || type > TYPE.part || length > MAX_PAYLOAD + 8) {
      this.#synced = false;
      return 'lost';
    }
    this.#missing = HEADER + length - buffer.length;
    if (this.#missing > 0) return 'more';
    this.#missing = 0;
    const frame = { type, stream: buffer.readUInt32BE(5), payload: buffer.subarray(HEADER, HEADER + length) };
    this.#buffer = buffer.subarray(HEADER + length);
    return frame;
  }
}

export function json<T>(payload: Buffer): T {
  return JSON.parse(payload.toString()) as T;
}
