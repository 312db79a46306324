/** New entries are made here and renamed into place, so that a killed server leaves them whole or not at all. */
import { closeFd, setMode, setModeOfPath, writeAt } from '../server/sys/files.ts';
import { O_CREAT, O_DIRECTORY, O_EXCL, O_PATH, O_RDONLY, O_TMPFILE, O_WRONLY } from '../server/sys/flags.ts';
import {
  makeDirectory,
  openAt,
  removeDirectory,
  renameAt,
  statAt,
  statIfPresent,
  symlinkAt,
  unlinkAt,
} from '../server/sys/names.ts';
import { kindOfMode } from '../server/sys/stat.ts';
import { namesIn } from './load.ts';
import { RECORD_MODE } from './record.ts';

export class WorkFolder {
  readonly fd: number;
  /** Differs from that of a killed server's entries, which are moved about while they are removed */
  readonly #prefix = `${process.pid}.${Date.now()}`;
  #next = 0;

  /** Removes what a killed server left. */
  constructor(fd: number) {
    this.fd = fd;
    for (const name of list(fd)) this.remove(name);
  }

  /** @returns its name here, and a descriptor that the caller closes */
  makeFile(flags: number, mode: number): { name: string; fd: number } {
    const name = this.#name();
    const fd = openAt(this.fd, name, flags | O_CREAT | O_EXCL, mode);
    setMode(fd, mode);
    return { name, fd };
  }

  /** An open file without a name */
  makeUnnamed(flags: number, mode: number): number {
    const fd = openAt(this.fd, '.', flags | O_TMPFILE, mode);
    setMode(fd, mode);
    return fd;
  }

  makeRecord(content: Buffer): string {
    const { name, fd } = this.makeFile(O_WRONLY, RECORD_MODE);
    try {
      writeAt(fd, content, 0);
    } finally {
      closeFd(fd);
    }
    return name;
  }

  /** @param mode with the marks of a folder */
  makeFolder(mode: number): string {
    const name = this.#name();
    makeDirectory(this.fd, name, 0o700);
    const fd = openAt(this.fd, name, O_PATH);
    setModeOfPath(fd, mode);
    closeFd(fd);
    return name;
  }

  makeLink(target: string): string {
    const name = this.#name();
    symlinkAt(target, this.fd, name);
    return name;
  }

  /** A free name, for what is moved here to be removed */
  newName(): string {
    return this.#name();
  }

  /** Removes an entry and all below it, following nothing. Folders are moved up here first, so that no depth is too deep. */
  remove(name: string): void {
    const waiting = [name];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const stat = statIfPresent(this.fd, next);
      if (stat === undefined) continue;
      if (kindOfMode(stat.mode) !== 'directory') unlinkAt(this.fd, next);
      else {
        waiting.push(...this.#empty(next));
        removeDirectory(this.fd, next);
      }
    }
  }

  /** @returns the folders that were in it, by their names here */
  #empty(folder: string): string[] {
    const pathFd = openAt(this.fd, folder, O_PATH | O_DIRECTORY);
    try {
      setModeOfPath(pathFd, 0o700);
      return list(pathFd).flatMap((name) => {
        if (kindOfMode(statAt(pathFd, name).mode) !== 'directory') {
          unlinkAt(pathFd, name);
          return [];
        }
        const moved = this.#name();
        renameAt({ oldDirFd: pathFd, oldName: name, newDirFd: this.fd, newName: moved, flags: 0 });
        return [moved];
      });
    } finally {
      closeFd(pathFd);
    }
  }

  #name(): string {
    return `${this.#prefix}-${this.#next++}`;
  }
}

function list(pathFd: number): string[] {
  const fd = openAt(pathFd, '.', O_RDONLY | O_DIRECTORY);
  try {
    return namesIn(fd);
  } finally {
    closeFd(fd);
  }
}
