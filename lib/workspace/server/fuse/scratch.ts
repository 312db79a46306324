/** A buffer for replies whose length is known only when they are complete. */
import { OUT_HEADER_SIZE, type Reply } from './encode.ts';
import { MAX_WRITE } from './limits.ts';

let scratch: Buffer | undefined;

/** @returns room for a payload of `size` bytes, at most MAX_WRITE, valid until the next call */
export function scratchBody(size: number): Buffer {
  scratch ??= Buffer.allocUnsafeSlow(MAX_WRITE);
  return scratch.subarray(0, size);
}

/** Copies a payload: a reply that waits to be sent must not hold the memory of what was asked for. */
export function exactReply(payload: Buffer): Reply {
  const reply = Buffer.allocUnsafe(OUT_HEADER_SIZE + payload.length);
  payload.copy(reply, OUT_HEADER_SIZE);
  return reply;
}
