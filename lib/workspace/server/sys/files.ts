/** System calls on open descriptors. Sizes and offsets are plain numbers up to 2^53. */
import { fdatasync, fsync } from 'node:fs';
import { promisify } from 'node:util';
import { errnoError, isErrno } from './errno.ts';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  architecture,
  O_APPEND,
  O_CLOEXEC,
  O_NOFOLLOW,
  O_SAFE,
  UTIME_NOW,
  UTIME_OMIT,
} from './flags.ts';
import { check, libc } from './libc.ts';
import { cString, procPath } from './names.ts';
import { readStat, STATX_MASK, STATX_SIZE, type Stat, type Time } from './stat.ts';

const F_GETFL = 3;
const F_SETFL = 4;
const F_DUPFD_CLOEXEC = 1030;

const statx = Buffer.alloc(STATX_SIZE);
const times = Buffer.alloc(32);
const statfs = Buffer.alloc(256);
const inOffset = Buffer.alloc(8);
const outOffset = Buffer.alloc(8);

export function closeFd(fd: number): void {
  libc().close(fd);
}

/** Works on O_PATH descriptors, too, as does `setTimes`. */
export function statFd(fd: number): Stat {
  check(libc().statx(fd, cString(''), AT_EMPTY_PATH, STATX_MASK, statx));
  return readStat(statx);
}

export function readAt(fd: number, into: Buffer, offset: number): number {
  return check(libc().pread(fd, into, into.length, offset));
}

export function writeAt(fd: number, data: Buffer, offset: number): number {
  return check(libc().pwrite(fd, data, data.length, offset));
}

/** Opens the file of a descriptor once more, with other flags. */
export function reopen(fd: number, flags: number): number {
  // Without O_NOFOLLOW: the path is a link of /proc, and no name of the workspace is resolved.
  return check(libc().openat(AT_FDCWD, procPath(fd), (flags | O_SAFE) & ~O_NOFOLLOW, 0));
}

/** @returns one more descriptor of the same open file */
export function duplicate(fd: number): number {
  return check(libc().fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

/** Puts the open file of `fd` behind the descriptor `target`, which stays valid for calls that use it now. Closes `fd`. */
export function replaceFd(fd: number, target: number): void {
  check(libc().dup3(fd, target, O_CLOEXEC));
  closeFd(fd);
}

export function truncateFd(fd: number, size: number): void {
  check(libc().ftruncate(fd, size));
}

export function setMode(fd: number, mode: number): void {
  check(libc().fchmod(fd, mode));
}

/** As `setMode`, for an O_PATH descriptor */
export function setModeOfPath(fd: number, mode: number): void {
  check(libc().chmod(procPath(fd), mode));
}

/** A time to set: exact, the host's current one, or undefined to leave it */
export type NewTime = Time | 'now' | undefined;

export function setTimes(fd: number, atime: NewTime, mtime: NewTime): void {
  writeTime(atime, 0);
  writeTime(mtime, 16);
  check(libc().utimensat(fd, cString(''), times, AT_EMPTY_PATH));
}

function writeTime(time: NewTime, offset: number): void {
  const exact = typeof time === 'object';
  times.writeBigInt64LE(exact ? BigInt(time.seconds) : 0n, offset);
  times.writeBigInt64LE(BigInt(exact ? time.nanoseconds : time === 'now' ? UTIME_NOW : UTIME_OMIT), offset + 8);
}

export function allocate(fd: number, mode: number, range: { offset: number; length: number }): void {
  check(libc().fallocate(fd, mode, range.offset, range.length));
}

export function seek(fd: number, offset: number, whence: number): number {
  return check(libc().lseek(fd, offset, whence));
}

export interface CopyRange {
  from: number;
  fromOffset: number;
  to: number;
  toOffset: number;
  /** In bytes */
  length: number;
}

/** @returns the number of bytes copied, which may be fewer than asked for */
export function copyRange({ from, fromOffset, to, toOffset, length }: CopyRange): number {
  inOffset.writeBigInt64LE(BigInt(fromOffset));
  outOffset.writeBigInt64LE(BigInt(toOffset));
  return check(libc().copy_file_range(from, inOffset, to, outOffset, length, 0));
}

/** Switches O_APPEND of an open file. */
export function setAppend(fd: number, append: boolean): void {
  const flags = check(libc().fcntl(fd, F_GETFL, 0));
  check(libc().fcntl(fd, F_SETFL, append ? flags | O_APPEND : flags & ~O_APPEND));
}

const syncAll = promisify(fsync);
const syncData = promisify(fdatasync);

/** Writes to the disk in another thread: a slow disk delays no other request. */
export async function syncFd(fd: number, dataOnly: boolean): Promise<void> {
  try {
    await (dataOnly ? syncData(fd) : syncAll(fd));
  } catch (error) {
    throw errnoError(Math.abs((error as NodeJS.ErrnoException).errno ?? 5));
  }
}

/** Fills `into` with entries of the directory; @returns 0 at its end */
export function readEntries(fd: number, into: Buffer): number {
  return check(libc().getdents64(architecture?.GETDENTS64 ?? 0, fd, into, into.length));
}

/** The same number on x64 and arm64 */
const FS_IOC_GETFLAGS = 0x8008_6601;

/** Flags of an inode, as lsattr shows them; 0 where the file system has none */
export function readFlags(fd: number): number {
  const flags = Buffer.alloc(8);
  try {
    check(libc().ioctl(fd, FS_IOC_GETFLAGS, flags));
  } catch (error) {
    if (isErrno(error, 'ENOTTY') || isErrno(error, 'EOPNOTSUPP')) return 0;
    throw error;
  }
  return flags.readUInt32LE(0);
}

export interface FileSystemStat {
  /** Magic number of its type */
  type: number;
  blockSize: number;
  fragmentSize: number;
  blocks: bigint;
  free: bigint;
  available: bigint;
  files: bigint;
  filesFree: bigint;
  nameMax: number;
}

export function statFileSystem(fd: number): FileSystemStat {
  check(libc().fstatfs(fd, statfs));
  return {
    type: statfs.readUInt32LE(0),
    blockSize: Number(statfs.readBigInt64LE(8)),
    blocks: statfs.readBigUInt64LE(16),
    free: statfs.readBigUInt64LE(24),
    available: statfs.readBigUInt64LE(32),
    files: statfs.readBigUInt64LE(40),
    filesFree: statfs.readBigUInt64LE(48),
    nameMax: Number(statfs.readBigInt64LE(64)),
    fragmentSize: Number(statfs.readBigInt64LE(72)),
  };
}
