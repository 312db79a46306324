/** Reads a folder of the host below its descriptor, never following a link out of it. */

import type { EntryKind } from '../policy/types.ts';
import { ERRNO, Errno } from '../server/sys/errno.ts';
import { closeFd, readAt, readEntries, statFd } from '../server/sys/files.ts';
import { O_DIRECTORY, O_RDONLY } from '../server/sys/flags.ts';
import { openAt, openBeneath, readLinkAt, statIfPresent } from '../server/sys/names.ts';
import { bytesOfPath, textOfPath } from '../server/sys/path-text.ts';
import { type FileKind, kindOfMode, type Stat } from '../server/sys/stat.ts';

export interface Entry {
  name: string;
  kind: EntryKind;
}

export interface Folder {
  /** Changes when an entry comes or goes */
  stamp: string;
  entries(): Entry[];
  /** Of an entry, without following a link; undefined: it has gone */
  stat(name: string): Stat | undefined;
}

/** Larger ones are not git's */
const FILE_MAX = 1 << 20;
const LINKS_MAX = 20;
/** A change within this time before a reading may be followed by another one with the same times, in milliseconds */
const TICK_MS = 100;
/** By the type in a listing */
const LISTED = new Map<number, EntryKind>([
  [4, 'folder'],
  [8, 'file'],
  [10, 'link'],
]);
const KINDS: Record<FileKind, EntryKind> = { file: 'file', directory: 'folder', symlink: 'link', other: 'other' };

/** Paths are text, relative to the root, with `/` between names; `''` is the root. */
export class HostTree {
  readonly #root: number;
  readonly #hostPath: string;

  /** @param hostPath of the root, where absolute paths begin; empty: none lies in it */
  constructor(root: number, hostPath: string) {
    this.#root = root;
    this.#hostPath = hostPath;
  }

  /** Undefined: no folder. */
  inFolder<T>(path: string, look: (folder: Folder) => T): T | undefined {
    const fd = this.#open(path);
    if (fd === undefined) return undefined;
    try {
      // One of a file system whose program has ended can be opened, and nothing else.
      const found = quietly(() => statFd(fd));
      if (found === undefined) return undefined;
      return look({
        stamp: stampOf(found),
        entries: () => quietly(() => entriesOf(fd)) ?? [],
        stat: (name) => quietly(() => statIfPresent(fd, bytesOfPath(name))),
      });
    } finally {
      closeFd(fd);
    }
  }

  /** Undefined: no plain file of a sensible size. */
  readFile(path: string): string | undefined {
    return this.#in(path, (folder, name) => {
      const found = statIfPresent(folder, name);
      if (found === undefined || kindOfMode(found.mode) !== 'file' || found.size > FILE_MAX) return undefined;
      const fd = openAt(folder, name, O_RDONLY);
      try {
        const bytes = Buffer.alloc(found.size);
        return bytes.subarray(0, readAt(fd, bytes, 0)).toString();
      } finally {
        closeFd(fd);
      }
    });
  }

  /** Without following a link; undefined: there is none. */
  kindOf(path: string): EntryKind | undefined {
    if (path === '') return 'folder';
    const mode = this.#in(path, (folder, name) => statIfPresent(folder, name)?.mode);
    return mode === undefined ? undefined : KINDS[kindOfMode(mode)];
  }

  /** Of whatever is there; changes with every change of it. */
  stampOf(path: string): string {
    const found = this.#in(path, (folder, name) => statIfPresent(folder, name));
    return found === undefined ? '' : stampOf(found);
  }

  /** Where `target` leads from the folder `from`, as written; undefined: out of the root, or to the root itself. */
  resolve(from: string, target: string): string | undefined {
    let text = target;
    if (target.startsWith('/')) {
      if (this.#hostPath === '' || !target.startsWith(`${this.#hostPath}/`)) return undefined;
      text = target.slice(this.#hostPath.length + 1);
    }
    const names = target.startsWith('/') || from === '' ? [] : from.split('/');
    for (const name of text.split('/')) {
      if (name === '' || name === '.') continue;
      if (name !== '..') names.push(name);
      else if (names.pop() === undefined) return undefined;
    }
    return names.length === 0 ? undefined : names.join('/');
  }

  /** The path and each one that it leads to by links, as far as they stay in the root. */
  follow(path: string): string[] {
    const found = [path];
    for (let at: string | undefined = path; at !== undefined && found.length <= LINKS_MAX; ) {
      at = this.#firstLink(at);
      if (at !== undefined) found.push(at);
    }
    return found;
  }

  /** The path with its first link replaced by its target. */
  #firstLink(path: string): string | undefined {
    const names = path.split('/');
    for (let at = 1; at <= names.length; at += 1) {
      const head = names.slice(0, at).join('/');
      const target = this.readLink(head);
      if (target === undefined) continue;
      return this.resolve(names.slice(0, at - 1).join('/'), [target, ...names.slice(at)].join('/'));
    }
    return undefined;
  }

  /** Undefined: no link. */
  readLink(path: string): string | undefined {
    return this.#in(path, (folder, name) => {
      const found = statIfPresent(folder, name);
      if (found === undefined || kindOfMode(found.mode) !== 'symlink') return undefined;
      return textOfPath(readLinkAt(folder, name));
    });
  }

  #in<T>(path: string, look: (folder: number, name: string) => T | undefined): T | undefined {
    const slash = path.lastIndexOf('/');
    const folder = this.#open(path.slice(0, Math.max(0, slash)));
    if (folder === undefined) return undefined;
    try {
      return quietly(() => look(folder, bytesOfPath(path.slice(slash + 1))));
    } finally {
      closeFd(folder);
    }
  }

  /** A descriptor of the caller's own. */
  #open(path: string): number | undefined {
    return quietly(() => openBeneath(this.#root, path === '' ? '.' : bytesOfPath(path)));
  }
}

function entriesOf(pathFd: number): Entry[] {
  const fd = openAt(pathFd, '.', O_RDONLY | O_DIRECTORY);
  const chunk = Buffer.allocUnsafe(64 * 1024);
  const found: Entry[] = [];
  try {
    for (let length = readEntries(fd, chunk); length > 0; length = readEntries(fd, chunk))
      for (let at = 0; at < length; at += chunk.readUInt16LE(at + 16)) {
        const name = chunk.subarray(at + 19, chunk.indexOf(0, at + 19));
        const text = textOfPath(name);
        if (text !== '.' && text !== '..') found.push({ name: text, kind: listedKind(fd, name, chunk[at + 18] ?? 0) });
      }
    return found;
  } finally {
    closeFd(fd);
  }
}

/** @param type 0: the file system does not say it in a listing */
function listedKind(folder: number, name: Buffer, type: number): EntryKind {
  if (type !== 0) return LISTED.get(type) ?? 'other';
  const found = quietly(() => statIfPresent(folder, name.toString('latin1')));
  return found === undefined ? 'other' : KINDS[kindOfMode(found.mode)];
}

let unsure = 0;

/** Equal only if nothing has changed for certain: times of files are as coarse as the host's timer. */
function stampOf({ identity, size, mtime, ctime }: Stat): string {
  const isSure = Math.abs(Date.now() - ctime.seconds * 1000 - ctime.nanoseconds / 1e6) > TICK_MS;
  const times = `${mtime.seconds}.${mtime.nanoseconds} ${ctime.seconds}.${ctime.nanoseconds}`;
  if (!isSure) unsure += 1;
  return `${identity} ${size} ${times}${isSure ? '' : ` ${unsure}`}`;
}

/** What cannot be read is as if it were not there: it is decided by its name. */
function quietly<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (error instanceof Errno && error.errno !== ERRNO.EMFILE) return undefined;
    throw error;
  }
}
