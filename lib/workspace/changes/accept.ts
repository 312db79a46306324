/** Takes one private change over to the host, after a person has seen it. */
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, SbxError } from '../../errors.ts';
import type { Folder } from '../../guest/copy/folder.ts';
import { shownText } from '../git/shown-text.ts';
import { folderMarks } from '../layer/record.ts';
import { Errno, isErrno } from '../server/sys/errno.ts';
import { linkFd } from '../server/sys/names.ts';
import {
  type ChangeVersion,
  contentAt,
  type FileContent,
  hashOf,
  isProgram,
  isRemovedAt,
  type Sides,
} from './sides.ts';
import { withTemporaryName } from './temporary-names.ts';

export interface AcceptedChange {
  /** From the root of the folder */
  path: string;
  /** As it was shown */
  version: ChangeVersion;
}

export interface AcceptPlaces extends Required<Sides> {
  /** Of `host`, absolute */
  hostPath: string;
  /** Folder of the notes about temporary files: see `removeTemporaries` */
  notes: string;
}

/**
 * Writes it below held folders, through no link, and whole or not at all.
 * @throws SbxError `workspace` when a side is not what was shown, or something else is in the way
 */
export async function acceptChange(places: AcceptPlaces, { path, version }: AcceptedChange): Promise<void> {
  const { layer, host } = places;
  if (host === undefined) throw refused(path, 'the folder of the host is gone');
  const mine = await contentAt(layer, path);
  const theirs = await contentAt(host, path);
  // A removed file is a record in the layer.
  const isRemoved = version.layer === null && (await isRemovedAt(layer, path));
  const now = { layer: isRemoved ? null : (versionOf(mine) ?? 'none'), host: versionOf(theirs) };
  if (now.layer !== version.layer || now.host !== version.host)
    throw refused(path, 'it has changed since it was shown');
  if (version.layer === null) await removeOnHost(host, path);
  else if (mine !== undefined && mine !== 'large')
    await writeOnHost({ ...places, host }, path, { bytes: mine.bytes, mode: modeFor(mine, theirs) });
}

/** False: it stays in the layer, because a folder above hides that of the host. For a layer that no server has. */
export async function takeOutOfFolder(layer: Folder, path: string): Promise<boolean> {
  const names = path.split('/');
  const opened: Folder[] = [];
  try {
    for (const name of names.slice(0, -1)) {
      const at = opened.at(-1) ?? layer;
      const found = await at.lstat(name);
      if (found === undefined || folderMarks(found).isOpaque) return false;
      opened.push(await at.enter(name));
    }
    await (opened.at(-1) ?? layer).remove(names.at(-1) ?? '');
    return true;
  } finally {
    for (const folder of opened) await folder[Symbol.asyncDispose]();
  }
}

function versionOf(content: FileContent | 'large' | undefined): string | null {
  return content === 'large' ? content : hashOf(content);
}

/** That of the host's file stays: no other one was shown. */
function modeFor(mine: FileContent, theirs: FileContent | 'large' | undefined): number {
  if (theirs !== undefined && theirs !== 'large') return theirs.mode;
  return isProgram(mine) ? 0o755 : 0o644;
}

async function removeOnHost(host: Folder, path: string): Promise<void> {
  await within(host, path, async (folder, name) => {
    if ((await folder.lstat(name))?.isFile() === true) await folder.remove(name);
  });
}

type HostPlace = AcceptPlaces & { host: Folder };

async function writeOnHost(places: HostPlace, path: string, content: FileContent): Promise<void> {
  await within(places.host, path, async (folder, name) => {
    const found = await folder.lstat(name);
    if (found !== undefined && !found.isFile()) throw refused(path, 'something else than a file is in its place');
    const opened = await unnamedIn(folder);
    if (opened === undefined) return await writeNamed(places, path, { folder, name, content });
    await using file = opened;
    await fill(file, content);
    if (found === undefined) giveName(file, folder, { name, path });
    else await replace(places, path, { folder, name, file });
  });
}

/** Undefined: the file system, or this host, has no files without a name. */
async function unnamedIn(folder: Folder): Promise<FileHandle | undefined> {
  try {
    return await folder.createUnnamed();
  } catch (error) {
    if (['EOPNOTSUPP', 'ENOTSUP', 'EISDIR', 'EINVAL', 'ENOENT'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

async function fill(file: FileHandle, { bytes, mode }: FileContent): Promise<void> {
  await file.writeFile(bytes);
  await file.chmod(mode);
  await file.sync();
}

function giveName(file: FileHandle, folder: Folder, { name, path }: { name: string; path: string }): void {
  try {
    linkFd(file.fd, folder.fd, Buffer.from(name).toString('latin1'));
  } catch (error) {
    if (error instanceof Errno && isErrno(error, 'EEXIST')) throw refused(path, 'it has changed since it was shown');
    throw error;
  }
}

/** No call gives a file without a name that of another: it has a temporary one for a moment. */
async function replace(
  { hostPath, notes }: HostPlace,
  path: string,
  { folder, name, file }: { folder: Folder; name: string; file: FileHandle },
): Promise<void> {
  await withTemporaryName({ notes, target: join(hostPath, path) }, async (temporary) => {
    giveName(file, folder, { name: temporary, path });
    await renamed(folder, temporary, name);
  });
}

async function writeNamed(
  { hostPath, notes }: HostPlace,
  path: string,
  { folder, name, content }: { folder: Folder; name: string; content: FileContent },
): Promise<void> {
  await withTemporaryName({ notes, target: join(hostPath, path) }, async (temporary) => {
    await using file = await folder.createFile(temporary);
    try {
      await fill(file, content);
    } catch (error) {
      await folder.remove(temporary).catch(() => {});
      throw error;
    }
    await renamed(folder, temporary, name);
  });
}

async function renamed(folder: Folder, temporary: string, name: string): Promise<void> {
  try {
    await folder.rename(temporary, name);
  } catch (error) {
    await folder.remove(temporary).catch(() => {});
    throw error;
  }
}

/** Makes the folders that are missing. */
async function within(
  root: Folder,
  path: string,
  work: (folder: Folder, name: string) => Promise<void>,
): Promise<void> {
  const names = path.split('/');
  const opened: Folder[] = [];
  try {
    for (const name of names.slice(0, -1)) {
      const at = opened.at(-1) ?? root;
      if ((await at.lstat(name)) === undefined) await at.makeFolder(name);
      opened.push(await at.enter(name).catch(() => Promise.reject(refused(path, 'a link or a file is on its way'))));
    }
    await work(opened.at(-1) ?? root, names.at(-1) ?? '');
  } finally {
    for (const folder of opened) await folder[Symbol.asyncDispose]();
  }
}

function refused(path: string, why: string): SbxError {
  return new SbxError('workspace', `${shownText(path)} was not taken over`, {
    why,
    hint: 'look again with `sbx diff`; nothing of it was changed',
  });
}
