/** Puts the line of sbx into a person's own ssh configuration, or takes it out. */
import { lstatSync, mkdirSync, readFileSync, realpathSync, type Stats, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { errnoOf, SbxError } from '../errors.ts';
import { placesOf } from '../system/places.ts';
import { withInclude, withoutInclude } from './include-text.ts';

/** More is no configuration, bytes */
const SIZE_MAX = 4 * 1024 ** 2;
const OTHERS_WRITE = 0o022;

export interface UserConfig {
  /** Absolute path; a link is followed, since many keep such files elsewhere */
  file: string;
  /** The line */
  line: string;
  /** Real paths of folders that guests write to */
  guestFolders: readonly string[];
}

/** Returns whether something was changed. @throws SbxError `usage`: the file is not one that ssh or sbx should trust. */
export async function installInclude({ file, line, guestFolders }: UserConfig): Promise<boolean> {
  const target = checkedFile(file, guestFolders);
  const text = textOf(target);
  const next = withInclude(text ?? '', asBytes(line));
  if (next === undefined) return false;
  if (text === undefined) mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
  await replace(target, next);
  return true;
}

/** Returns whether something was changed. @throws SbxError `usage`, as above. */
export async function removeInclude({ file, line, guestFolders }: UserConfig): Promise<boolean> {
  const target = checkedFile(file, guestFolders);
  const next = withoutInclude(textOf(target) ?? '', asBytes(line));
  if (next === undefined) return false;
  await replace(target, next);
  return true;
}

/** Whether ssh reads the host entries by this file. */
export function isInstalled({ file, line }: Pick<UserConfig, 'file' | 'line'>): boolean {
  try {
    return withInclude(readFileSync(file, 'latin1'), asBytes(line)) === undefined;
  } catch {
    return false;
  }
}

/** Where it really is. A guest that can write the file, or a link on the way, could make ssh run commands. */
function checkedFile(file: string, guestFolders: readonly string[]): string {
  for (const place of placesOf(file))
    if (guestFolders.includes(place))
      throw refusal(file, `a sandbox can write to ${place}`, 'keep this file out of the folders of your projects');
  const found = lstatSync(file, { throwIfNoEntry: false });
  if (found === undefined) return file;
  const real = found.isSymbolicLink() ? targetOf(file) : file;
  const why = problemOf(statSync(real));
  if (why !== undefined) throw refusal(file, why, 'correct the file, or name another one with --file');
  return real;
}

function targetOf(file: string): string {
  try {
    return realpathSync.native(file);
  } catch (cause) {
    throw refusal(file, `it is a link that leads nowhere (${errnoOf(cause) ?? cause})`, 'remove or correct the link');
  }
}

function problemOf(found: Stats): string | undefined {
  if (!found.isFile()) return 'it is not a regular file';
  if (found.size > SIZE_MAX) return `it has ${found.size} bytes`;
  if (found.uid !== process.getuid?.()) return `it belongs to the user with the number ${found.uid}`;
  return (found.mode & OTHERS_WRITE) === 0 ? undefined : 'other users can write it, so that ssh refuses it';
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1');
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined;
    throw refusal(file, `it cannot be read (${errnoOf(cause) ?? cause})`, 'make it readable for yourself');
  }
}

async function replace(file: string, text: string): Promise<void> {
  const mode = (statSync(file, { throwIfNoEntry: false })?.mode ?? 0o600) & 0o7777;
  try {
    await writeFileAtomic(file, Buffer.from(text, 'latin1'), { mode });
  } catch (cause) {
    const why = `${join(dirname(file))} cannot be written (${errnoOf(cause) ?? cause})`;
    throw refusal(file, why, 'put the line into it yourself: see `sbx ssh-config`');
  }
}

/** The text of a file is read as Latin-1. */
function asBytes(line: string): string {
  return Buffer.from(line).toString('latin1');
}

function refusal(file: string, why: string, hint: string): SbxError {
  return new SbxError('usage', `sbx does not change ${file}`, { why, hint });
}
