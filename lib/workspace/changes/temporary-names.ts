/** Keeps a note of each temporary file in a folder of the user while it is there, so that one of a killed daemon is found and removed. */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Folder } from '../../guest/copy/folder.ts';
import { ACCEPT_PREFIX } from '../policy/protected/own-names.ts';

const NAME = new RegExp(`^${ACCEPT_PREFIX.replaceAll('.', '\\.')}[0-9a-f]{12}$`);

export interface TemporaryPlace {
  /** Folder of the notes, of this user alone; made if it is missing */
  notes: string;
  /** What the temporary file takes the place of, absolute on the host */
  target: string;
}

/** Runs `work` with a free name for a file beside `target`. If it fails, `work` has removed the file. */
export async function withTemporaryName<T>(
  { notes, target }: TemporaryPlace,
  work: (name: string) => Promise<T>,
): Promise<T> {
  const name = `${ACCEPT_PREFIX}${randomBytes(6).toString('hex')}`;
  await mkdir(notes, { recursive: true, mode: 0o700 });
  await writeFile(join(notes, name), dirname(target), { mode: 0o600, flush: true });
  try {
    return await work(name);
  } finally {
    await rm(join(notes, name), { force: true });
  }
}

/** Removes the temporary files that have a note, and the notes. MUST NOT run while a change is taken over. */
export async function removeTemporaries(notes: string): Promise<void> {
  const names = await readdir(notes).catch(() => []);
  for (const name of names.filter((one) => NAME.test(one))) {
    const path = await readFile(join(notes, name), 'utf8');
    // A folder that is gone, or behind a link by now, is left alone.
    const opened = await Folder.open(path).catch(() => undefined);
    if (opened !== undefined) {
      await using folder = opened;
      await folder.remove(name).catch(() => {});
    }
    await rm(join(notes, name), { force: true });
  }
}
