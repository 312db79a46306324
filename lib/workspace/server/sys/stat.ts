/** Reads the result of statx; its layout is the same on every architecture. */
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from './flags.ts';

export const STATX_SIZE = 256;

/** STATX_BASIC_STATS and STATX_BTIME */
export const STATX_MASK = 0xfff;

const STATX_BTIME = 0x800;

export interface Time {
  /** Seconds since 1970, may be negative */
  seconds: number;
  nanoseconds: number;
}

export interface Stat {
  /** Device, inode and birth time as text: equal for every name of one file, different for the next file with its number */
  identity: string;
  ino: bigint;
  mode: number;
  nlink: number;
  uid: number;
  gid: number;
  /** In bytes */
  size: number;
  /** In units of 512 bytes */
  blocks: number;
  /** In bytes */
  blockSize: number;
  /** Major and minor number of a device file, as Linux packs them into 32 bits */
  rdev: number;
  atime: Time;
  mtime: Time;
  ctime: Time;
}

export type FileKind = 'file' | 'directory' | 'symlink' | 'other';

/** What the policy and the node table ask of a file */
export function fileOf({ mode, identity }: Stat): { kind: FileKind; identity: string } {
  return { kind: kindOfMode(mode), identity };
}

export function kindOfMode(mode: number): FileKind {
  const type = mode & S_IFMT;
  if (type === S_IFREG) return 'file';
  if (type === S_IFDIR) return 'directory';
  return type === S_IFLNK ? 'symlink' : 'other';
}

export function readStat(raw: Buffer): Stat {
  return {
    identity: identityOf(raw),
    blockSize: raw.readUInt32LE(4),
    nlink: raw.readUInt32LE(16),
    uid: raw.readUInt32LE(20),
    gid: raw.readUInt32LE(24),
    mode: raw.readUInt16LE(28),
    ino: raw.readBigUInt64LE(32),
    size: readNumber(raw, 40),
    blocks: readNumber(raw, 48),
    atime: readTime(raw, 64),
    ctime: readTime(raw, 96),
    mtime: readTime(raw, 112),
    rdev: packDevice(raw.readUInt32LE(128), raw.readUInt32LE(132)),
  };
}

function identityOf(raw: Buffer): string {
  const device = `${raw.readUInt32LE(136)}:${raw.readUInt32LE(140)}`;
  const born = (raw.readUInt32LE(0) & STATX_BTIME) === 0 ? '' : `@${readNumber(raw, 80)}.${raw.readUInt32LE(88)}`;
  return `${device}/${raw.readUInt32LE(36).toString(16)}.${raw.readUInt32LE(32).toString(16)}${born}`;
}

function packDevice(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

function readTime(raw: Buffer, offset: number): Time {
  return { seconds: readNumber(raw, offset), nanoseconds: raw.readUInt32LE(offset + 8) };
}

/** A signed 64-bit value; sizes and times beyond 2^53 lose their last bits */
function readNumber(raw: Buffer, offset: number): number {
  return raw.readInt32LE(offset + 4) * 0x1_0000_0000 + raw.readUInt32LE(offset);
}
