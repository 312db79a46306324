/**
 * Makes files and folders in the workspace so that a mount can cover a missing path. They are removed when the last VM that
 * needs them stops. Everything here is synchronous: within the one daemon, making and removing never mix.
 */
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  type Stats,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { errnoOf, SbxError } from '../../errors.ts';

export interface MountStub {
  /** Absolute */
  path: string;
  kind: 'dir' | 'file';
  content: string;
}

interface Entry extends MountStub {
  /** Milliseconds; noted before it is made */
  plannedAt: number;
  /** Which file it is: device, inode, time of birth. Missing when the maker was killed in between. */
  identity?: string;
}

/** Times of a file system are coarser than the clock */
const CLOCK_SLACK_MS = 50;

/**
 * Makes what is missing. The intent is written down first, so a process killed in between leaves nothing unrecorded.
 * One that another instance made is recorded here too: the last one to stop removes it.
 */
export function makeMountStubs(recordFile: string, wanted: MountStub[]): void {
  const mine = readEntries(recordFile);
  const others = siblingRecords(recordFile).flatMap(readEntries);
  const entries: Entry[] = [...mine];
  for (const one of wanted) {
    const known = [...mine, ...others].find(({ path }) => path === one.path);
    const isThere = lookAt(one.path) !== undefined;
    if (isThere && (known === undefined || !isUntouched(known))) continue;
    if (!mine.some(({ path }) => path === one.path))
      entries.push(isThere && known !== undefined ? known : { ...one, plannedAt: Date.now() });
  }
  if (entries.length === 0) return;
  write(recordFile, entries);
  const isWanted = new Set(wanted.map(({ path }) => path));
  for (const entry of entries) if (isWanted.has(entry.path) && make(entry)) entry.identity = identityOf(entry.path);
  write(recordFile, entries);
}

/** Removes those that are still as they were made and that no other record names. Missing ones are no error. */
export function removeMountStubs(recordFile: string, otherRecords: string[]): void {
  const inUse = new Set(otherRecords.flatMap(readEntries).map(({ path }) => path));
  for (const entry of readEntries(recordFile).toReversed()) {
    if (inUse.has(entry.path) || !isUntouched(entry)) continue;
    try {
      if (entry.kind === 'dir') rmdirSync(entry.path);
      else unlinkSync(entry.path);
    } catch {
      // It is gone, or in use by another program, which owns it now.
    }
  }
  try {
    unlinkSync(recordFile);
  } catch {
    // There was none.
  }
}

/** True when it was made now. */
function make({ path, kind, content }: Entry): boolean {
  try {
    if (realpathSync(dirname(path)) !== dirname(path))
      throw new SbxError('workspace', `${path} lies behind a symbolic link`, { hint: 'replace the link' });
    if (kind === 'dir') mkdirSync(path, { mode: 0o755 });
    else writeFileSync(path, content, { flag: 'wx', mode: 0o644 });
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    if (error instanceof SbxError) throw error;
    throw new SbxError('workspace', `${path} cannot be protected`, {
      why: `nothing is there yet, and a mount stub could not be made (${errnoOf(error) ?? 'unknown'})`,
      hint: 'make the folder writable for you, or name the path in [workspace] unprotect',
      cause: error,
    });
  }
}

/** Ours and empty as on the first day: an inode's number alone may have been given to another file since. */
function isUntouched(entry: Entry): boolean {
  const found = lookAt(entry.path);
  if (found === undefined) return false;
  const isOurs =
    entry.identity === undefined
      ? found.birthtimeMs >= entry.plannedAt - CLOCK_SLACK_MS
      : entry.identity === identityOf(entry.path);
  if (!isOurs) return false;
  if (entry.kind === 'dir') return found.isDirectory() && readdirSync(entry.path).length === 0;
  return found.isFile() && found.size === entry.content.length && readFileSync(entry.path, 'utf8') === entry.content;
}

/** Also where a folder on the way has become a file. */
function lookAt(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}

function identityOf(path: string): string {
  const { dev, ino, birthtimeNs } = lstatSync(path, { bigint: true });
  return `${dev}:${ino}:${birthtimeNs}`;
}

function write(recordFile: string, entries: Entry[]): void {
  writeFileAtomic.sync(recordFile, JSON.stringify(entries), { mode: 0o600 });
}

function readEntries(recordFile: string): Entry[] {
  try {
    return JSON.parse(readFileSync(recordFile, 'utf8')) as Entry[];
  } catch {
    return [];
  }
}

/** Instances lie side by side, each with a record of this name. */
function siblingRecords(recordFile: string): string[] {
  const own = dirname(recordFile);
  try {
    const names = readdirSync(dirname(own)).filter((name) => name !== basename(own) && !name.startsWith('.'));
    return names.map((name) => join(dirname(own), name, basename(recordFile)));
  } catch {
    return [];
  }
}
