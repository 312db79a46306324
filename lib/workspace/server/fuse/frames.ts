/** Cuts a byte stream from the guest into FUSE requests. */
import { MAX_FRAME } from './limits.ts';

export const IN_HEADER_SIZE = 40;

export interface RequestHeader {
  opcode: number;
  /** Names the request in its reply */
  unique: bigint;
  /** NaN for a number beyond 2^53, which no node has */
  node: number;
  uid: number;
  gid: number;
  /** The thread that asks; 0 where the kernel asks by itself */
  pid: number;
}

export function readHeader(frame: Buffer): RequestHeader {
  const high = frame.readUInt32LE(20);
  return {
    opcode: frame.readUInt32LE(4),
    unique: frame.readBigUInt64LE(8),
    node: high < 0x20_0000 ? high * 0x1_0000_0000 + frame.readUInt32LE(16) : Number.NaN,
    uid: frame.readUInt32LE(24),
    gid: frame.readUInt32LE(28),
    pid: frame.readUInt32LE(32),
  };
}

/** A length that no request can have: the stream cannot be cut any further, and the session ends. */
class FrameError extends Error {}

/** Holds the bytes that have arrived and not been taken. A frame within one chunk is not copied. */
export class FrameReader {
  private chunk: Buffer = Buffer.alloc(0);
  private waiting: Buffer[] = [];
  private waitingBytes = 0;

  push(chunk: Buffer): void {
    this.waiting.push(chunk);
    this.waitingBytes += chunk.length;
  }

  /** @returns the next whole frame, valid until the next call, or undefined; @throws FrameError */
  next(): Buffer | undefined {
    if (!this.gather(4)) return undefined;
    const length = this.chunk.readUInt32LE(0);
    if (length < IN_HEADER_SIZE || length > MAX_FRAME) throw new FrameError(`invalid frame length: ${length}`);
    if (!this.gather(length)) return undefined;
    const frame = this.chunk.subarray(0, length);
    this.chunk = this.chunk.subarray(length);
    return frame;
  }

  /** Makes the first `size` bytes contiguous, by one copy and only when all of them have arrived. */
  private gather(size: number): boolean {
    if (this.chunk.length >= size) return true;
    if (this.chunk.length + this.waitingBytes < size) return false;
    // All at once: a guest that sends single bytes must not make this quadratic.
    const parts = this.chunk.length === 0 ? this.waiting : [this.chunk, ...this.waiting];
    this.chunk = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
    this.waiting = [];
    this.waitingBytes = 0;
    return true;
  }
}
