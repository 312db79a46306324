/** System calls on names below a directory descriptor. Names are bytes, held as latin1 strings. */
import { ERRNO, fail } from './errno.ts';
import {
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  AT_SYMLINK_NOFOLLOW,
  architecture,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  O_SAFE,
  RESOLVE_INSIDE,
} from './flags.ts';
import { check, libc } from './libc.ts';
import { readStat, STATX_MASK, STATX_SIZE, type Stat } from './stat.ts';

/** The kernel's limit for one path, its NUL included, in bytes */
export const PATH_MAX = 4096;

/** The same number on every architecture */
const SYSCALL_OPENAT2 = 437;

const first = Buffer.alloc(PATH_MAX);
const second = Buffer.alloc(PATH_MAX);
const statx = Buffer.alloc(STATX_SIZE);
const openHow = Buffer.alloc(24);

/** Opens `name` itself, never what a link names, as a descriptor that closes on exec. */
export function openAt(dirFd: number, name: string, flags: number, mode = 0): number {
  return check(libc().openat(dirFd, cString(name), flags | O_SAFE, mode));
}

/** Opens the folder at `path` below `rootFd` (O_PATH). Neither a link nor `..` on the way is followed: ELOOP, EXDEV. */
export function openBeneath(rootFd: number, path: string): number {
  openHow.writeBigUInt64LE(BigInt(O_PATH | O_DIRECTORY | O_CLOEXEC), 0);
  openHow.writeBigUInt64LE(BigInt(RESOLVE_INSIDE), 16);
  return check(libc().openat2(SYSCALL_OPENAT2, rootFd, cString(path), openHow, openHow.length));
}

/** Reads the attributes of `name` itself. */
export function statAt(dirFd: number, name: string): Stat {
  check(libc().statx(dirFd, cString(name), AT_SYMLINK_NOFOLLOW, STATX_MASK, statx));
  return readStat(statx);
}

/** @returns undefined instead of ENOENT: most lookups of a build find nothing */
export function statIfPresent(dirFd: number, name: string): Stat | undefined {
  if (libc().statx(dirFd, cString(name), AT_SYMLINK_NOFOLLOW, STATX_MASK, statx) === 0) return readStat(statx);
  if (libc().errno() === ERRNO.ENOENT) return undefined;
  check(-1);
  return undefined;
}

export function makeDirectory(dirFd: number, name: string, mode: number): void {
  check(libc().mkdirat(dirFd, cString(name), mode));
}

export function unlinkAt(dirFd: number, name: string): void {
  check(libc().unlinkat(dirFd, cString(name), 0));
}

export function removeDirectory(dirFd: number, name: string): void {
  check(libc().unlinkat(dirFd, cString(name), AT_REMOVEDIR));
}

export interface RenameArguments {
  oldDirFd: number;
  oldName: string;
  newDirFd: number;
  newName: string;
  /** RENAME_NOREPLACE, RENAME_EXCHANGE */
  flags: number;
}

export function renameAt({ oldDirFd, oldName, newDirFd, newName, flags }: RenameArguments): void {
  const { renameat2 } = libc();
  check(renameat2(architecture?.RENAMEAT2 ?? 0, oldDirFd, cString(oldName), newDirFd, cString(newName, second), flags));
}

/** Gives the file of the descriptor `fd` one more name. */
export function linkFd(fd: number, newDirFd: number, newName: string): void {
  check(libc().linkat(AT_FDCWD, procPath(fd), newDirFd, cString(newName, second), AT_SYMLINK_FOLLOW));
}

export function symlinkAt(target: string, dirFd: number, name: string): void {
  check(libc().symlinkat(cString(target), dirFd, cString(name, second)));
}

/** @returns the bytes of the link's target */
export function readLinkAt(dirFd: number, name: string): Buffer {
  const target = Buffer.allocUnsafe(PATH_MAX);
  return target.subarray(0, check(libc().readlinkat(dirFd, cString(name), target, target.length)));
}

/** @returns the bytes of `text` with a NUL behind them, valid until the next call with the same buffer */
export function cString(text: string, into: Buffer = first): Buffer {
  if (text.length >= PATH_MAX) fail('ENAMETOOLONG');
  if (text.includes('\0')) fail('EINVAL');
  into[into.write(text, 0, 'latin1')] = 0;
  return into;
}

/** The path of an own descriptor: the only way to the file of an O_PATH descriptor for calls that refuse one */
export function procPath(fd: number): Buffer {
  return cString(`/proc/self/fd/${fd}`);
}
