/**
 * How the layer writes on the host what must not be real there. The sticky bit, which no file of a guest gets, marks a file as a record, and a folder as
 * a container; the set-user-id bit, which means nothing on a folder, marks an opaque one. So a mark has no name that could collide with a guest's, and
 * each change is one rename.
 */
import { S_IFMT, S_ISUID } from '../server/sys/flags.ts';
import type { Stat } from '../server/sys/stat.ts';
import type { FolderMarks, Item, SpecialItem } from './items.ts';
import { WHITEOUT } from './items.ts';

export const RECORD_MODE = 0o1600;
const STICKY = 0o1000;
const MARKS = 0o7000;
const RECORD = /^special ([0-7]{6}) (\d{1,10})\n$/;

/** In bytes */
export const RECORD_MAX = 64;

export function isRecord({ mode }: Pick<Stat, 'mode'>): boolean {
  return (mode & S_IFMT) === 0o100000 && (mode & STICKY) !== 0;
}

export function encodeSpecial({ mode, rdev }: SpecialItem): Buffer {
  return Buffer.from(`special ${mode.toString(8).padStart(6, '0')} ${rdev}\n`);
}

/** A damaged record counts as a whiteout: it hides the host's entry, and shows nothing. */
export function decodeRecord(bytes: Buffer): Item {
  const [, mode = '', rdev = ''] = RECORD.exec(bytes.toString('latin1')) ?? [];
  return mode === '' ? WHITEOUT : { is: 'special', mode: Number.parseInt(mode, 8), rdev: Number(rdev) };
}

/** @returns the mode of the folder on the host */
export function folderMode(permissions: number, { isContainer, isOpaque }: FolderMarks): number {
  return (permissions & 0o777) | (isContainer ? STICKY : 0) | (isOpaque ? S_ISUID : 0);
}

export function folderMarks({ mode }: Pick<Stat, 'mode'>): FolderMarks {
  return { isContainer: (mode & STICKY) !== 0, isOpaque: (mode & S_ISUID) !== 0 };
}

/** @returns the attributes as they are meant, of what lies at a name of the layer */
export function meantStat(stat: Stat, item: Item): Stat {
  if (item.is === 'special') return { ...stat, mode: item.mode, rdev: item.rdev, size: 0, blocks: 0 };
  return item.is === 'folder' ? meantFolder(stat) : stat;
}

export function meantFolder(stat: Stat): Stat {
  return { ...stat, mode: stat.mode & ~MARKS };
}
