/** Finds out how the file system of a root compares names, without writing into it. */
import type { FoldTraits } from '../policy/fold.ts';
import { closeFd, fileSystemType, inodeFlags, reopen } from '../server/sys/files.ts';
import { O_DIRECTORY, O_RDONLY } from '../server/sys/flags.ts';

/** Names are bytes there, but in folders with the casefold flag: ext4, XFS, Btrfs, tmpfs, ramfs, F2FS, bcachefs, overlay */
const EXACT: ReadonlySet<number> = new Set([
  0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x858458f6, 0xf2f52010, 0xca451a4e, 0x794c7630,
]);

const FS_CASEFOLD_FL = 0x4000_0000;

/** FAT, NTFS, shares of a network, FUSE, and what is not known */
const ALL: FoldTraits = { ignoresCase: true, normalizes: true, dropsIgnorable: true, windows: true };
/** Of the casefold flag: the kernel compares by Unicode's case folding and canonical decomposition, without ignorable characters */
const CASEFOLD: FoldTraits = { ignoresCase: true, normalizes: true, dropsIgnorable: true };

/** @param fd of the root, which may be an O_PATH descriptor */
export function foldTraitsOf(fd: number): FoldTraits {
  try {
    return foldTraits({ type: fileSystemType(fd), flags: flagsOf(fd) });
  } catch {
    return ALL;
  }
}

/** @param flags of the root's inode; undefined: the file system has none */
export function foldTraits({ type, flags = 0 }: { type: number; flags: number | undefined }): FoldTraits {
  if (!EXACT.has(type)) return ALL;
  return (flags & FS_CASEFOLD_FL) === 0 ? {} : CASEFOLD;
}

function flagsOf(root: number): number | undefined {
  const fd = reopen(root, O_RDONLY | O_DIRECTORY);
  try {
    return inodeFlags(fd);
  } finally {
    closeFd(fd);
  }
}
