/** Reads the two sides of a private change by their names, without following a link on the way. */
import { createHash } from 'node:crypto';
import type { Folder } from '../../guest/copy/folder.ts';
import type { Item } from '../layer/items.ts';
import { decodeRecord, isRecord, RECORD_MAX } from '../layer/record.ts';

/** Longer files are shown by their sizes, and cannot be taken over, in bytes */
const FILE_MAX = 1024 * 1024;

export interface Sides {
  /** Of the layer */
  layer: Folder;
  /** The same folder on the host; undefined: it is gone */
  host: Folder | undefined;
}

/** The contents that a person has seen, by their hashes; null: there was no file */
export interface ChangeVersion {
  layer: string | null;
  host: string | null;
}

export interface FileContent {
  bytes: Buffer;
  /** Permission bits */
  mode: number;
}

/** `large`: longer than FILE_MAX. Undefined: there is no such file */
export async function contentAt(root: Folder, path: string): Promise<FileContent | 'large' | undefined> {
  return within(root, path, async (folder, name) => {
    if ((await folder.lstat(name))?.isFile() !== true) return undefined;
    await using file = await folder.openFile(name);
    const { size, mode } = await file.stat();
    if (size > FILE_MAX) return 'large';
    const bytes = Buffer.alloc(size);
    const { bytesRead } = await file.read(bytes, 0, size, 0);
    return { bytes: bytes.subarray(0, bytesRead), mode: mode & 0o777 };
  });
}

export async function linkAt(root: Folder, path: string): Promise<string> {
  return (await within(root, path, (folder, name) => folder.linkTarget(name))) ?? '';
}

/** True for the layer's record of a file that the guest removed. */
export async function isRemovedAt(layer: Folder, path: string): Promise<boolean> {
  const removed = await within(layer, path, async (folder, name) => {
    const found = await folder.lstat(name);
    return found !== undefined && isRecord(found) && (await readRecord(folder, name)).is !== 'special';
  });
  return removed === true;
}

/** Of a file that is a record of the layer */
export async function readRecord(folder: Folder, name: string): Promise<Item> {
  await using file = await folder.openFile(name);
  const bytes = Buffer.alloc(RECORD_MAX);
  const { bytesRead } = await file.read(bytes, 0, RECORD_MAX, 0);
  return decodeRecord(bytes.subarray(0, bytesRead));
}

export function isProgram({ mode }: Pick<FileContent, 'mode'>): boolean {
  return (mode & 0o111) !== 0;
}

/** Of the content and of whether it is a program */
export function hashOf(content: FileContent | undefined): string | null {
  if (content === undefined) return null;
  return createHash('sha256')
    .update(isProgram(content) ? 'program\n' : 'file\n')
    .update(content.bytes)
    .digest('hex');
}

/** Undefined: there is no such folder, or `work` failed */
async function within<T>(
  root: Folder,
  path: string,
  work: (folder: Folder, name: string) => Promise<T>,
): Promise<T | undefined> {
  const names = path.split('/');
  const opened: Folder[] = [];
  try {
    for (const one of names.slice(0, -1)) opened.push(await (opened.at(-1) ?? root).enter(one));
    return await work(opened.at(-1) ?? root, names.at(-1) ?? '');
  } catch {
    return undefined;
  } finally {
    for (const folder of opened) await folder[Symbol.asyncDispose]();
  }
}
