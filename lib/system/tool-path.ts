/** The PATH for the host's tools, and the error for a tool that is missing. */
import { lstatSync } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { SbxError } from '../errors.ts';
import { placesOf } from './places.ts';

/**
 * The entries of a PATH that no project could have put a program into: a relative one counts from wherever a command is run, and an agent writes to the
 * folder of its project. `guestFolders`: real paths of others that guests write to.
 */
export function safePath(path: string | undefined, guestFolders: readonly string[] = []): string {
  const isWritten = (place: string) => guestFolders.includes(place) || hasConfig(place);
  // The kernel reads `..` after a link in another way than Node.
  const isOthers = (dir: string) => [...placesOf(dir), ...placesOf(resolve(dir))].some(isWritten);
  const dirs = (path ?? '').split(delimiter).filter((dir) => isAbsolute(dir) && !isOthers(dir));
  // An empty PATH would be the working directory.
  return dirs.length === 0 ? '/usr/bin:/bin' : [...new Set(dirs)].join(delimiter);
}

/** True also where it cannot be seen: a guest may have closed a folder of its project. */
function hasConfig(folder: string): boolean {
  try {
    return lstatSync(join(folder, 'sandbox.toml'), { throwIfNoEntry: false })?.isDirectory() === false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOTDIR';
  }
}

/** The PATH of an ordinary user often lacks the folders of `depmod` and `mke2fs`, which need no root. */
export function pathWithTools(path: string | undefined): string {
  const dirs = (path ?? '').split(delimiter).filter((dir) => dir !== '');
  return [...new Set([...dirs, '/usr/sbin', '/sbin'])].join(delimiter);
}

export function toolMissing(command: string, cause?: unknown): SbxError {
  return new SbxError('tool-missing', `${command} is not installed`, {
    why: `there is no program ${command} on the PATH`,
    hint: 'run `sbx doctor --fix`',
    cause,
  });
}
