/** Finds out how the file system of a folder compares names, without writing into it. */
import type { FoldTraits } from '../policy/match/fold.ts';
import { Errno } from '../server/sys/errno.ts';
import { closeFd, readFlags, statFileSystem } from '../server/sys/files.ts';
import { O_DIRECTORY, O_RDONLY } from '../server/sys/flags.ts';
import { openAt } from '../server/sys/names.ts';

/** Names are bytes there, but in folders with the flag for case folding: ext4, xfs, btrfs, tmpfs, ramfs, overlayfs, f2fs */
const BYTES: ReadonlySet<number> = new Set([
  0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x858458f6, 0x794c7630, 0xf2f52010,
]);
const FS_CASEFOLD_FL = 0x4000_0000;
const ALL: FoldTraits = { ignoresCase: true, normalizes: true, dropsIgnorable: true, windows: true };

/** All traits for a file system that is not known: network shares, FAT, NTFS, FUSE. They protect more names, and open none. */
export function foldTraitsOf(folderFd: number): FoldTraits {
  try {
    return traitsOf(statFileSystem(folderFd).type, flagsOf(folderFd));
  } catch (error) {
    if (error instanceof Errno) return ALL;
    throw error;
  }
}

/** @param type magic number of the file system; @param flags of the folder's inode */
export function traitsOf(type: number, flags: number): FoldTraits {
  if (!BYTES.has(type)) return ALL;
  return (flags & FS_CASEFOLD_FL) === 0 ? {} : { ...ALL, windows: false };
}

function flagsOf(folderFd: number): number {
  const fd = openAt(folderFd, '.', O_RDONLY | O_DIRECTORY);
  try {
    return readFlags(fd);
  } finally {
    closeFd(fd);
  }
}
