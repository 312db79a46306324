/** Encodes messages that the server sends unasked: the kernel drops what it caches. */
import { writeU64 } from './encode.ts';
import { NOTIFY_DELETE, NOTIFY_INVAL_ENTRY, NOTIFY_INVAL_INODE, NOTIFY_ORDER, NOTIFY_PAUSE } from './opcodes.ts';

export type Invalidation =
  /** Attributes of a node, and its data from `offset` (default: all of it) */
  | { type: 'inode'; node: number; offset?: number; length?: number }
  /** A name of a folder, also one that the kernel remembers as missing */
  | { type: 'entry'; parent: number; name: string }
  /** As `entry`, and watchers of the removed node see it go */
  | { type: 'delete'; parent: number; child: number; name: string };

/** Names are bytes, held as latin1 strings. */
export function encodeInvalidation(invalidation: Invalidation): Buffer {
  if (invalidation.type === 'inode') {
    const message = newNotification(NOTIFY_INVAL_INODE, 24);
    writeU64(message, 16, invalidation.node);
    message.writeBigInt64LE(BigInt(invalidation.offset ?? 0), 24);
    message.writeBigInt64LE(BigInt(invalidation.length ?? 0), 32);
    return message;
  }
  const deleted = invalidation.type === 'delete';
  const fixed = deleted ? 24 : 16;
  const length = invalidation.name.length;
  const message = newNotification(deleted ? NOTIFY_DELETE : NOTIFY_INVAL_ENTRY, fixed + length + 1);
  writeU64(message, 16, invalidation.parent);
  if (deleted) writeU64(message, 24, invalidation.child);
  message.writeUInt32LE(length, deleted ? 32 : 24);
  message.write(invalidation.name, 16 + fixed, 'latin1');
  return message;
}

/** @param words bytes as latin1 strings, without NUL */
export function encodeOrder(words: string[]): Buffer {
  const text = Buffer.from(words.join('\0'), 'latin1');
  const message = newNotification(NOTIFY_ORDER, text.length);
  text.copy(message, 16);
  return message;
}

export function encodePause(): Buffer {
  return newNotification(NOTIFY_PAUSE, 0);
}

/** A header whose `unique` is 0 marks a notification, and `error` holds its code. */
function newNotification(code: number, size: number): Buffer {
  const message = Buffer.alloc(16 + size);
  message.writeUInt32LE(message.length, 0);
  message.writeInt32LE(code, 4);
  return message;
}
