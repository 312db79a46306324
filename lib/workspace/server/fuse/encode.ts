/** Encodes replies, each into one buffer that begins with room for its header. */
import type { FileSystemStat } from '../sys/files.ts';
import { ATTRIBUTES_SIZE, type Attributes, writeAttributes } from './attributes.ts';

export const OUT_HEADER_SIZE = 16;
export const ENTRY_SIZE = 40 + ATTRIBUTES_SIZE;

const ATTR_REPLY_SIZE = 16 + ATTRIBUTES_SIZE;

/** A reply whose header is not written yet */
export type Reply = Buffer;

/** Allocates a zero-filled reply: no byte of the server's memory reaches the guest. */
export function newReply(size: number): { reply: Reply; body: Buffer } {
  const reply = Buffer.alloc(OUT_HEADER_SIZE + size);
  return { reply, body: reply.subarray(OUT_HEADER_SIZE) };
}

/** Writes the header over the first bytes of `reply`. */
export function sealReply(reply: Reply, unique: bigint): Buffer {
  reply.writeUInt32LE(reply.length, 0);
  reply.writeInt32LE(0, 4);
  reply.writeBigUInt64LE(unique, 8);
  return reply;
}

export function encodeError(unique: bigint, errno: number): Buffer {
  const reply = Buffer.alloc(OUT_HEADER_SIZE);
  reply.writeUInt32LE(OUT_HEADER_SIZE, 0);
  reply.writeInt32LE(-errno, 4);
  reply.writeBigUInt64LE(unique, 8);
  return reply;
}

export function emptyReply(): Reply {
  return Buffer.alloc(OUT_HEADER_SIZE);
}

export function bytesReply(bytes: Buffer): Reply {
  const { reply, body } = newReply(bytes.length);
  bytes.copy(body);
  return reply;
}

/** How long the guest's kernel may use an answer without asking, in seconds */
interface Lifetimes {
  entrySeconds: number;
  attributeSeconds: number;
}

export interface Entry extends Lifetimes {
  /** 0: no such name, which the kernel may remember for `entrySeconds` */
  node: number;
  attributes: Attributes | undefined;
}

export function entryReply(entry: Entry): Reply {
  const { reply, body } = newReply(ENTRY_SIZE);
  writeEntry(body, 0, entry);
  return reply;
}

/** Writes the `ENTRY_SIZE` bytes of fuse_entry_out over zeros. */
export function writeEntry(into: Buffer, offset: number, entry: Entry): void {
  writeU64(into, offset, entry.node);
  writeLifetime(into, offset + 16, { at: offset + 32, seconds: entry.entrySeconds });
  writeLifetime(into, offset + 24, { at: offset + 36, seconds: entry.attributeSeconds });
  if (entry.attributes !== undefined) writeAttributes(into, offset + 40, entry.attributes);
}

export function attributesReply(attributes: Attributes, seconds: number): Reply {
  const { reply, body } = newReply(ATTR_REPLY_SIZE);
  writeLifetime(body, 0, { at: 8, seconds });
  writeAttributes(body, 16, attributes);
  return reply;
}

/** Without it, an open drops what the kernel holds of the file or folder. */
export const FOPEN_KEEP_CACHE = 2;
export const FOPEN_CACHE_DIR = 8;

/** @param openFlags FOPEN_KEEP_CACHE, FOPEN_CACHE_DIR */
export function openReply(handle: number, openFlags: number): Reply {
  const { reply, body } = newReply(16);
  writeOpen(body, handle, openFlags);
  return reply;
}

export function createReply(entry: Entry, handle: number, openFlags: number): Reply {
  const { reply, body } = newReply(ENTRY_SIZE + 16);
  writeEntry(body, 0, entry);
  writeOpen(body.subarray(ENTRY_SIZE), handle, openFlags);
  return reply;
}

/** The count of WRITE and COPY_FILE_RANGE, and the size of an extended attribute */
export function sizeReply(size: number): Reply {
  const { reply, body } = newReply(8);
  body.writeUInt32LE(size, 0);
  return reply;
}

export function offsetReply(offset: number): Reply {
  const { reply, body } = newReply(8);
  writeU64(body, 0, offset);
  return reply;
}

export function statfsReply(figures: FileSystemStat): Reply {
  const { reply, body } = newReply(80);
  const { blocks, free, available, files, filesFree } = figures;
  [blocks, free, available, files, filesFree].forEach((value, index) => {
    body.writeBigUInt64LE(value, index * 8);
  });
  body.writeUInt32LE(figures.blockSize, 40);
  body.writeUInt32LE(figures.nameMax, 44);
  body.writeUInt32LE(figures.fragmentSize, 48);
  return reply;
}

export function writeU64(into: Buffer, offset: number, value: number): void {
  into.writeUInt32LE(value >>> 0, offset);
  into.writeUInt32LE(Math.floor(value / 0x1_0000_0000), offset + 4);
}

function writeOpen(body: Buffer, handle: number, openFlags: number): void {
  writeU64(body, 0, handle);
  body.writeUInt32LE(openFlags, 8);
}

function writeLifetime(into: Buffer, offset: number, nanoseconds: { at: number; seconds: number }): void {
  const whole = Math.floor(nanoseconds.seconds);
  writeU64(into, offset, whole);
  into.writeUInt32LE(Math.floor((nanoseconds.seconds - whole) * 1e9), nanoseconds.at);
}
