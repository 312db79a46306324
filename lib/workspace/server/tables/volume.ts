/** The folders of the host that a session serves, each held open. */
import { realpathSync } from 'node:fs';
import { fail } from '../sys/errno.ts';
import { closeFd, statFd } from '../sys/files.ts';
import { AT_FDCWD, O_DIRECTORY, O_PATH } from '../sys/flags.ts';
import { openAt, openBeneath, PATH_MAX } from '../sys/names.ts';

export interface RootFolder {
  /** The name under which the guest sees it below the mount, if there is more than one */
  name: string;
  /** Absolute path on the host */
  path: string;
}

export interface Root {
  name: string;
  /** An O_PATH descriptor */
  fd: number;
  identity: string;
}

interface FolderRequest {
  /** Descriptor of a root, or of a folder that was reached from it a moment ago */
  from: number;
  /** From there downwards, bytes as latin1 strings */
  names: string[];
  /** What the folder must be */
  identity: string;
}

/** Opens a folder below another. MUST reach nothing outside of it and MUST fail if the folder has another identity. */
export type OpenFolder = (request: FolderRequest) => number;

export interface Volume extends Disposable {
  roots: Root[];
  openFolder: OpenFolder;
}

/** @throws Errno if a folder cannot be opened */
export function openVolume(folders: RootFolder[], openFolder: OpenFolder = openVerified): Volume {
  const roots: Root[] = [];
  const close = () => {
    for (const { fd } of roots.splice(0)) closeFd(fd);
  };
  const volume = { roots, openFolder, [Symbol.dispose]: close };
  try {
    for (const { name, path } of folders) {
      const fd = openAt(AT_FDCWD, Buffer.from(realpathSync(path)).toString('latin1'), O_PATH | O_DIRECTORY);
      roots.push({ name, fd, identity: statFd(fd).identity });
    }
  } catch (error) {
    close();
    throw error;
  }
  return volume;
}

/** Walks without following a link, then compares the identity. */
function openVerified({ from: start, names, identity }: FolderRequest): number {
  let from = start;
  try {
    for (const path of chunksOf(names)) {
      const next = openBeneath(from, path);
      if (from !== start) closeFd(from);
      from = next;
    }
    if (statFd(from).identity !== identity) fail('ESTALE');
    return from;
  } catch (error) {
    if (from !== start) closeFd(from);
    throw error;
  }
}

/** Joins names into paths that the kernel takes: a folder can be deeper than PATH_MAX. */
function chunksOf(names: string[]): string[] {
  const chunks: string[] = [];
  let chunk = '';
  for (const name of names) {
    if (chunk.length + name.length + 2 > PATH_MAX) {
      chunks.push(chunk);
      chunk = '';
    }
    chunk += chunk === '' ? name : `/${name}`;
  }
  return [...chunks, chunk];
}
