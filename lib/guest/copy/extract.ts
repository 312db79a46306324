/**
 * Extracts an archive of `pack`. It may come from a hostile guest, so it is untrusted: names must be plain and strictly depth first, each folder
 * on a path must have been opened by this archive, and no link is followed, neither one of the archive nor an existing one.
 */
import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import tar from 'tar-stream';
import { Failure } from '../protocol/failure.ts';
import { type Folder, isPlainName } from './folder.ts';
import { refused, shown } from './refusal.ts';
import { SPARSE_TYPE } from './sparse-map.ts';
import { type CopyResult, emptyResult, type Header, type Meter, skip } from './types.ts';
import { writeContent } from './write-content.ts';

export interface ExtractOptions {
  /** The archive's root becomes `name` in this folder */
  into: Folder;
  name: string;
  /** False for what a guest sends: names that differ by case only are refused, links that lead out of the tree are left out */
  trusted: boolean;
  /** Owner of all that is written; default: the user of this process */
  owner?: { uid: number; gid: number };
  meter?: Meter | undefined;
}

/** Most nested folders: each is an open descriptor */
const MAX_DEPTH = 128;

/** One folder of the archive that is being filled. */
interface Level {
  name: string;
  folder: Folder;
  /** Set when the folder is complete; undefined: the folder existed before and keeps its own */
  finish: { mode: number; mtime: Date } | undefined;
  seen: Set<string>;
}

interface Target extends ExtractOptions {
  levels: Level[];
  result: CopyResult;
}

interface Entry {
  /** Open folder that the entry belongs to */
  folder: Folder;
  name: string;
  header: Header;
}

/** @throws Failure `refused-policy` for an archive that `pack` cannot have made. Files written until then stay; each is whole or absent. */
export async function extract(archive: Readable, options: ExtractOptions): Promise<CopyResult> {
  const target: Target = { ...options, levels: [], result: emptyResult() };
  const entries = tar.extract();
  const reading = pipeline(archive, entries);
  reading.catch(() => {});
  try {
    for await (const entry of entries) {
      await addEntry(target, entry.header, entry as AsyncIterable<Buffer>);
      if (options.meter !== undefined) options.meter.entries = target.result.entries;
      entry.resume();
    }
    await reading;
    if (target.result.entries + target.result.skipped.length === 0)
      throw new Failure('guest-failed', 'the copy was empty');
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
  const entry: Entry = { folder: await parentOf(target, header, parts), name, header };
  if (header.type === 'directory') await addFolder(target, entry);
  else if (header.type === 'file' || header.type === SPARSE_TYPE) await addFile(target, entry, content);
  else if (header.type === 'symlink') await addLink(target, entry, parts.length - 1);
  else throw refused(header.name, `its type is not supported: ${header.type ?? 'unknown'}`);
}

function partsOf(name: string): string[] {
  if (name === '.' || name === './') return [];
  const parts = name.replace(/^\.\//, '').replace(/\/$/, '').split('/');
  if (!parts.every(isPlainName)) throw refused(name, 'its name leads out of the copy');
  return parts;
}

/** Returns the open folder that the entry belongs to. Folders that have got their last entry are closed on the way. */
async function parentOf(target: Target, header: Header, parts: string[]): Promise<Folder> {
  const first = target.result.entries + target.result.skipped.length === 0;
  if (first !== (parts.length === 0))
    throw refused(header.name, 'only the first entry may be the root of the copy, and it must be');
  if (first) {
    // The only entry of a copy that is no folder.
    if (target.meter !== undefined && header.type !== 'directory') target.meter.total = header.size;
    return target.into;
  }
  while (target.levels.length > parts.length) await closeLevel(target);
  const open = target.levels.slice(1).map((level) => level.name);
  const level = target.levels[parts.length - 1];
  if (level === undefined || open.some((name, index) => name !== parts[index]))
    throw refused(header.name, 'its folder is not the one being filled');
  const name = parts.at(-1) ?? '';
  const key = target.trusted ? name : name.normalize('NFC').toUpperCase().toLowerCase();
  if (level.seen.has(key))
    throw refused(header.name, 'another entry has the same name, or one that differs by case only');
  level.seen.add(key);
  return level.folder;
}

async function addFolder(target: Target, { folder, name, header }: Entry): Promise<void> {
  if (target.levels.length >= MAX_DEPTH) throw refused(header.name, `it is nested more than ${MAX_DEPTH} folders deep`);
  const found = await folder.lstat(name);
  if (found === undefined) await folder.makeFolder(name);
  else if (!found.isDirectory()) throw occupied(header, name, found.isSymbolicLink() ? 'a symbolic link' : 'a file');
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

/** Writes under a temporary name and renames, so that a file is whole or absent, and never written through an existing entry. */
async function addFile(target: Target, entry: Entry, content: AsyncIterable<Buffer>): Promise<void> {
  const { folder, name, header } = entry;
  const found = await folder.lstat(name);
  if (found?.isDirectory()) throw occupied(header, name, 'a folder');
  if (found?.isSymbolicLink()) throw occupied(header, name, 'a symbolic link');
  const temporary = temporaryName();
  const file = await folder.createFile(temporary);
  try {
    try {
      target.result.bytes += await writeContent(file, header, content);
      await ownAs(target, (owner) => file.chown(owner.uid, owner.gid));
      // Never set-uid or set-gid, whatever the archive says.
      await file.chmod((header.mode ?? 0o644) & 0o777);
      const mtime = header.mtime ?? new Date();
      await file.utimes(mtime, mtime);
    } finally {
      await file.close();
    }
    await folder.rename(temporary, name);
  } catch (error) {
    await folder.remove(temporary).catch(() => {});
    throw error;
  }
  target.result.entries += 1;
}

async function addLink(target: Target, { folder, name, header }: Entry, depth: number): Promise<void> {
  const to = header.linkname ?? '';
  if (to === '' || to.includes('\0')) throw refused(header.name, 'it is a link without a target');
  if (!target.trusted && !staysInside(to, depth))
    return skip(target.result, header.name, 'it is a link that leads out of the copy');
  if ((await folder.lstat(name))?.isDirectory()) throw occupied(header, name, 'a folder');
  const temporary = temporaryName();
  await folder.makeLink(temporary, to);
  try {
    await ownAs(target, (owner) => folder.ownLink(temporary, owner));
    await folder.dateLink(temporary, header.mtime ?? new Date());
    await folder.rename(temporary, name);
  } catch (error) {
    await folder.remove(temporary).catch(() => {});
    throw error;
  }
  target.result.entries += 1;
}

/**
 * `depth`: folders of the copy above the link. `..` may come first only: after a name it would be relative to the target of that name, which
 * may itself be a link.
 */
function staysInside(to: string, depth: number): boolean {
  const parts = to.split('/').filter((part) => part !== '' && part !== '.');
  const ups = parts.findIndex((part) => part !== '..');
  const leading = ups < 0 ? parts.length : ups;
  return !to.startsWith('/') && leading <= depth && !parts.slice(leading).includes('..');
}

/** A shared folder of the host does not allow a change of owner: that is no error. */
async function ownAs(target: Target, change: (owner: { uid: number; gid: number }) => Promise<void>): Promise<void> {
  if (target.owner === undefined) return;
  await change(target.owner).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPERM') throw error;
  });
}

function temporaryName(): string {
  return `.sbx-cp-${randomBytes(6).toString('hex')}`;
}

function occupied(header: Header, name: string, what: string): Failure {
  return new Failure('refused-policy', `the copy was refused at ${shown(header.name)}`, {
    why: `there is ${what} where ${shown(name)} should be written`,
    hint: 'remove it, or copy to another folder',
  });
}
