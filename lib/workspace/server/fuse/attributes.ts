/** The attributes of a file as FUSE encodes them (struct fuse_attr). */

export const ATTRIBUTES_SIZE = 88;

interface AttributeTime {
  /** Seconds since 1970, may be negative */
  seconds: number;
  nanoseconds: number;
}

export interface Attributes {
  ino: bigint;
  /** In bytes */
  size: number;
  /** In units of 512 bytes */
  blocks: number;
  /** In bytes */
  blockSize: number;
  mode: number;
  nlink: number;
  uid: number;
  gid: number;
  rdev: number;
  atime: AttributeTime;
  mtime: AttributeTime;
  ctime: AttributeTime;
}

export function writeAttributes(into: Buffer, offset: number, attributes: Attributes): void {
  into.writeBigUInt64LE(attributes.ino, offset);
  writeSigned(into, offset + 8, attributes.size);
  writeSigned(into, offset + 16, attributes.blocks);
  writeSigned(into, offset + 24, attributes.atime.seconds);
  writeSigned(into, offset + 32, attributes.mtime.seconds);
  writeSigned(into, offset + 40, attributes.ctime.seconds);
  into.writeUInt32LE(attributes.atime.nanoseconds, offset + 48);
  into.writeUInt32LE(attributes.mtime.nanoseconds, offset + 52);
  into.writeUInt32LE(attributes.ctime.nanoseconds, offset + 56);
  into.writeUInt32LE(attributes.mode, offset + 60);
  into.writeUInt32LE(attributes.nlink, offset + 64);
  into.writeUInt32LE(attributes.uid, offset + 68);
  into.writeUInt32LE(attributes.gid, offset + 72);
  into.writeUInt32LE(attributes.rdev, offset + 76);
  into.writeUInt32LE(attributes.blockSize, offset + 80);
}

/** A 64-bit value in two's complement, without a bigint: these are most of a reply's fields */
function writeSigned(into: Buffer, offset: number, value: number): void {
  into.writeUInt32LE(value >>> 0, offset);
  into.writeInt32LE(Math.floor(value / 0x1_0000_0000), offset + 4);
}
