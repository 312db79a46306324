/** The folders that guests could write, now or before: no program of the host is taken from them. One a line, since bin/sbx reads them, too. */
import { appendFileSync, readFileSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { safePath } from './tool-path.ts';

export function readGuestFolders(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Before a guest gets them. They stay in the file: what was put into them is still there when the sandbox is gone. `folders`: real paths. */
export function noteGuestFolders(file: string, folders: string[]): void {
  const known = readGuestFolders(file);
  const added = folders.map(asLine).filter((folder) => !known.includes(folder));
  if (added.length === 0) return;
  // A line before may lack its end, for example since the disk was full.
  appendFileSync(file, added.map((folder) => `\n${folder}\n`).join(''), { mode: 0o600 });
  process.env['PATH'] = safePath(process.env['PATH'], added);
}

/** A name with a line feed: the folder above it stands for it. */
function asLine(folder: string): string {
  const end = folder.indexOf('\n');
  return end < 0 ? folder : folder.slice(0, folder.lastIndexOf('/', end)) || '/';
}
