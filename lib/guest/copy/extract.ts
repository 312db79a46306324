/**
 * Writes what `pack` made. The archive may come from a hostile guest, so nothing in it is believed: names are plain and strictly depth first,
 * every folder on the way is one that this very archive opened, and no link is followed, neither the archive's nor one that stands there.
 */
import { randomBytes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import tar from 'tar-stream';
import { Failure } from '../protocol/failure.ts';
import { type Folder, isPlainName } from './folder.ts';
import { type CopyResult, emptyResult, type Header, skip } from './types.ts';

export interface ExtractOptions {
  /** The archive's root becomes `name` in this folder */
  into: Folder;
  name: string;
  /** False for what a guest sends: names that differ by case only are refused, links that lead out of the tree are left out */
  trusted: boolean;
  /** Of all that is written; default: who runs this */
  owner?: { uid: number; gid: number };
}

/** Folders in one another: each is an open descriptor */
const DEEPEST = 128;

/** One folder of the archive that is being filled. */
interface Level {
  name: string;
  folder: Folder;
  /** Set when the folder is complete; undefined: it stood there before and keeps its own */
  finish: { mode: number; mtime: Date } | undefined;
  seen: Set<string>;
}

interface Target extends ExtractOptions {
  levels: Level[];
  result: CopyResult;
}

/** @throws Failure `refused-policy` for an archive that nobody honest sends. What was written until then stays; files are whole or absent. */
export async function extract(archive: Readable, options: ExtractOptions): Promise<CopyResult> {
  const target: Target = { ...options, levels: [], result: emptyResult() };
  const entries = tar.extract();
  const reading = pipeline(archive, entries);
  reading.catch(() => {});
  try {
    for await (const entry of entries) {
      await addEntry(target, entry.header, entry as AsyncIterable<Buffer>);
      entry.resume();
    }
    await reading;
    if (target.result.entries + target.result.skipped.length === 0)
      throw new Failure('guest-failed', 'the copy held nothing');
    while (target.levels.length > 0) await closeLevel(target);
    return target.result;
  } finally {
    archive.destroy();
    await Promise.all(target.levels.map((level) => level.folder[Symbol.asyncDispose]()));
  }
}

async function addEntry(target: Target, header: Header, content: AsyncIterable<Buffer>): Promise<void> {
  const parts = partsOf(header.name);
  const name = parts.at(-1) ?? target.name;
  const folder = await parentOf(target, header, parts);
  if (header.type === 'directory') await addFolder(target, folder, name, header);
  else if (header.type === 'file') await addFile(target, folder, name, header, content);
  else if (header.type === 'symlink') await addLink(target, folder, name, header, parts.length - 1);
  else throw refused(header.name, `it is a ${header.type ?? 'thing of an unknown type'}`);
}

function partsOf(name: string): string[] {
  if (name === '.' || name === './') return [];
  const parts = name.replace(/^\.\//, '').replace(/\/$/, '').split('/');
  if (!parts.every(isPlainName)) throw refused(name, 'its name leads out of the copy');
  return parts;
}

/** The open folder that the entry goes into. Folders whose last entry has come are completed on the way. */
async function parentOf(target: Target, header: Header, parts: string[]): Promise<Folder> {
  const first = target.result.entries + target.result.skipped.length === 0;
  if (first !== (parts.length === 0)) throw refused(header.name, 'the first entry, and no other, is the whole');
  if (first) return target.into;
  while (target.levels.length > parts.length) await closeLevel(target);
  const open = target.levels.slice(1).map((level) => level.name);
  const level = target.levels[parts.length - 1];
  if (level === undefined || open.some((name, index) => name !== parts[index]))
    throw refused(header.name, 'its folder is not the one being filled');
  const name = parts.at(-1) ?? '';
  const key = target.trusted ? name : name.normalize('NFC').toUpperCase().toLowerCase();
  if (level.seen.has(key)) throw refused(header.name, 'another name equals it, or differs by case only');
  level.seen.add(key);
  return level.folder;
}

async function addFolder(target: Target, folder: Folder, name: string, header: Header): Promise<void> {
  if (target.levels.length >= DEEPEST) throw refused(header.name, `it is more than ${DEEPEST} folders deep`);
  const found = await folder.lstat(name);
  if (found === undefined) await folder.makeFolder(name);
  else if (!found.isDirectory()) throw stands(header, name, found.isSymbolicLink() ? 'a symbolic link' : 'a file');
  const made = await folder.enter(name);
  const finish = { mode: header.mode ?? 0o755, mtime: header.mtime ?? new Date() };
  target.levels.push({ name, folder: made, finish: found === undefined ? finish : undefined, seen: new Set() });
  target.result.entries += 1;
}

/** Modes and times come last: a folder may be read-only, and its content changes its time. */
async function closeLevel(target: Target): Promise<void> {
  const level = target.levels.pop();
  if (level === undefined) return;
  await using folder = level.folder;
  if (level.finish === undefined) return;
  await ownAs(target, (owner) => folder.own(owner));
  await folder.setMode(level.finish.mode & 0o777);
  await folder.date(level.finish.mtime);
}

/** Written under a passing name and renamed, so that a file is whole or absent, and never written through something that stands there. */
async function addFile(
  target: Target,
  folder: Folder,
  name: string,
  header: Header,
  content: AsyncIterable<Buffer>,
): Promise<void> {
  const found = await folder.lstat(name);
  if (found?.isDirectory()) throw stands(header, name, 'a folder');
  if (found?.isSymbolicLink()) throw stands(header, name, 'a symbolic link');
  const passing = passingName();
  const file = await folder.createFile(passing);
  try {
    try {
      for await (const chunk of content) await writeAll(file, chunk, target.result);
      await ownAs(target, (owner) => file.chown(owner.uid, owner.gid));
      // Never set-uid or set-gid, whatever the archive says.
      await file.chmod((header.mode ?? 0o644) & 0o777);
      const mtime = header.mtime ?? new Date();
      await file.utimes(mtime, mtime);
    } finally {
      await file.close();
    }
    await folder.rename(passing, name);
  } catch (error) {
    await folder.remove(passing).catch(() => {});
    throw error;
  }
  target.result.entries += 1;
}

async function writeAll(file: FileHandle, chunk: Buffer, result: CopyResult): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
  result.bytes += chunk.length;
}

async function addLink(target: Target, folder: Folder, name: string, header: Header, depth: number): Promise<void> {
  const to = header.linkname ?? '';
  if (to === '' || to.includes('\0')) throw refused(header.name, 'it is a link to nothing');
  if (!target.trusted && !staysInside(to, depth))
    return skip(target.result, header.name, 'it is a link that leads out of what was copied');
  if ((await folder.lstat(name))?.isDirectory()) throw stands(header, name, 'a folder');
  const passing = passingName();
  await folder.makeLink(passing, to);
  try {
    await ownAs(target, (owner) => folder.ownLink(passing, owner));
    await folder.dateLink(passing, header.mtime ?? new Date());
    await folder.rename(passing, name);
  } catch (error) {
    await folder.remove(passing).catch(() => {});
    throw error;
  }
  target.result.entries += 1;
}

/**
 * `depth`: folders of the copy above the link. `..` may come first only: after a name it would be taken from wherever that name, which may
 * itself be a link, leads to.
 */
function staysInside(to: string, depth: number): boolean {
  const parts = to.split('/').filter((part) => part !== '' && part !== '.');
  const ups = parts.findIndex((part) => part !== '..');
  const leading = ups < 0 ? parts.length : ups;
  return !to.startsWith('/') && leading <= depth && !parts.slice(leading).includes('..');
}

/** A shared folder of the host keeps its owner whatever one asks: that is no error. */
async function ownAs(target: Target, change: (owner: { uid: number; gid: number }) => Promise<void>): Promise<void> {
  if (target.owner === undefined) return;
  await change(target.owner).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPERM') throw error;
  });
}

function passingName(): string {
  return `.sbx-cp-${randomBytes(6).toString('hex')}`;
}

function stands(header: Header, name: string, what: string): Failure {
  return new Failure('refused-policy', `the copy was refused at ${shown(header.name)}`, {
    why: `${what} stands where ${shown(name)} should be written`,
    hint: 'remove it, or copy to another place',
  });
}

function refused(name: string, why: string): Failure {
  return new Failure('refused-policy', `the copy was refused at ${shown(name)}`, {
    why,
    hint: 'what was written before it stays; look at what the sandbox holds there',
  });
}

/** A hostile name, fit for a terminal. */
function shown(name: string): string {
  return JSON.stringify(name)
    .slice(0, 200)
    .replaceAll(/[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/g, '?');
}
