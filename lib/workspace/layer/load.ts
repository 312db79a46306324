/** Reads what a layer holds from its folder on the host. */
import { isErrno } from '../server/sys/errno.ts';
import { closeFd, readAt, readEntries, seek, setModeOfPath, statFd } from '../server/sys/files.ts';
import { O_DIRECTORY, O_RDONLY } from '../server/sys/flags.ts';
import { openAt, statAt } from '../server/sys/names.ts';
import { kindOfMode } from '../server/sys/stat.ts';
import { FILE, type Item, LayerFolder } from './items.ts';
import { decodeRecord, folderMarks, isRecord, RECORD_MAX } from './record.ts';
import type { Usage } from './usage.ts';

/** Of the kernel's struct linux_dirent64 */
const NAME_OFFSET = 19;
const CHUNK = 64 * 1024;

/**
 * Fills `top` with all that lies below it.
 * @param fdOf descriptor (O_PATH) of a folder of the layer
 */
export function loadItems(top: LayerFolder, { fdOf, usage }: { fdOf: (folder: LayerFolder) => number; usage: Usage }) {
  const waiting = [top];
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    const fd = openReadable(fdOf(folder));
    try {
      for (const name of namesIn(fd)) {
        const item = loadItem({ folder, fd, name, usage });
        if (item?.is === 'folder') waiting.push(item);
      }
    } finally {
      closeFd(fd);
    }
  }
}

/** Opens a folder for reading, also one whose permissions the guest took away. */
export function openReadable(pathFd: number): number {
  try {
    return openAt(pathFd, '.', O_RDONLY | O_DIRECTORY);
  } catch (error) {
    if (!isErrno(error, 'EACCES')) throw error;
  }
  const { mode } = statFd(pathFd);
  setModeOfPath(pathFd, (mode & 0o7777) | 0o700);
  try {
    return openAt(pathFd, '.', O_RDONLY | O_DIRECTORY);
  } finally {
    setModeOfPath(pathFd, mode & 0o7777);
  }
}

interface Place {
  folder: LayerFolder;
  fd: number;
  name: string;
  usage: Usage;
}

function loadItem({ folder, fd, name, usage }: Place): Item | undefined {
  const stat = statAt(fd, name);
  const kind = kindOfMode(stat.mode);
  if (kind === 'other') return undefined;
  const isFolder = kind === 'directory';
  const item = isFolder
    ? new LayerFolder(folder, name, folderMarks(stat))
    : isRecord(stat)
      ? readRecord(fd, name)
      : FILE;
  folder.put(name, item);
  usage.entries++;
  // Each name of a file counts a part of it.
  if (item.is === 'file') usage.bytes += Math.ceil(stat.size / Math.max(1, stat.nlink));
  return item;
}

function readRecord(dirFd: number, name: string): Item {
  const fd = openAt(dirFd, name, O_RDONLY);
  try {
    const bytes = Buffer.alloc(RECORD_MAX);
    return decodeRecord(bytes.subarray(0, readAt(fd, bytes, 0)));
  } finally {
    closeFd(fd);
  }
}

/** @returns the names in the folder but `.` and `..` */
export function namesIn(fd: number): string[] {
  const names: string[] = [];
  const chunk = Buffer.allocUnsafe(CHUNK);
  seek(fd, 0, 0);
  for (let length = readEntries(fd, chunk); length > 0; length = readEntries(fd, chunk))
    for (let at = 0; at < length; at += chunk.readUInt16LE(at + 16)) {
      const start = at + NAME_OFFSET;
      const name = chunk.toString('latin1', start, chunk.indexOf(0, start));
      if (name !== '.' && name !== '..') names.push(name);
    }
  return names;
}
