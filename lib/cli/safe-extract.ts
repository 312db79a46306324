/** Unpacks an archive that a guest made: nothing lands outside of the folder, no link is followed, nothing is overwritten through one. */
import { constants } from 'node:fs';
import { lstat, mkdir, open, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import tar from 'tar-stream';
import { SbxError } from '../errors.ts';

/** Entries land below `into`; the archive's top name becomes `rename` where given. Returns how many there were. */
export async function extractSafely(archive: Readable, into: string, rename?: string): Promise<number> {
  const extract = tar.extract();
  // Not `pipeline`: it throws past its caller when the reader gives up, and waits for ever when the archive breaks off.
  extract.on('error', () => {});
  archive.once('error', (error) => extract.destroy(error));
  archive.once('close', () => {
    if (!archive.readableEnded) extract.destroy(new Error('the archive broke off'));
  });
  archive.pipe(extract);
  try {
    return await extractAll(extract, into, rename);
  } finally {
    archive.destroy();
  }
}

async function extractAll(extract: tar.Extract, into: string, rename: string | undefined): Promise<number> {
  const seen = new Map<string, string>();
  let count = 0;
  for await (const entry of extract) {
    const { header } = entry;
    const parts = partsOf(header.name, rename);
    const folded = parts.join('/').normalize('NFC').toLowerCase();
    const twin = seen.get(folded);
    if (twin !== undefined && twin !== parts.join('/'))
      throw hostile(header.name, `it differs from ${twin} by case or accents only`);
    seen.set(folded, parts.join('/'));
    await checkParents(into, parts);
    const path = join(into, ...parts);
    if (header.type === 'directory') await makeFolder(path);
    else if (header.type === 'file') await writeEntry(entry as unknown as Readable, path, header.mode ?? 0o644);
    else if (header.type === 'symlink') await makeLink(path, header.linkname ?? '');
    else throw hostile(header.name, `it is a ${header.type}`);
    if (header.type !== 'file') entry.resume();
    count += 1;
  }
  return count;
}

function partsOf(name: string, rename: string | undefined): string[] {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (name.startsWith('/') || name.includes('\0') || parts.length === 0 || parts.includes('..'))
    throw hostile(name, 'its name leads out of the folder');
  return rename === undefined ? parts : [rename, ...parts.slice(1)];
}

/** Every folder on the way must be a folder, not a link to one. */
async function checkParents(into: string, parts: string[]): Promise<void> {
  for (let length = 1; length < parts.length; length += 1) {
    const found = await lstat(join(into, ...parts.slice(0, length))).catch(() => undefined);
    if (found?.isDirectory() !== true)
      throw hostile(parts.join('/'), 'it would be written through a link, or into a file');
  }
}

async function makeFolder(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) await mkdir(path, { mode: 0o755 });
  else if (!found.isDirectory()) throw hostile(path, 'something else stands there');
}

/** A new file always: what stood there is replaced, never written through. */
async function writeEntry(content: Readable, path: string, mode: number): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.isDirectory() === true) throw hostile(path, 'a folder stands there');
  if (found !== undefined) await rm(path);
  const file = await open(
    path,
    constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW,
    mode & 0o777,
  );
  try {
    for await (const chunk of content) await file.writeFile(chunk as Buffer);
  } finally {
    await file.close();
  }
}

async function makeLink(path: string, target: string): Promise<void> {
  if ((await lstat(path).catch(() => undefined)) !== undefined)
    throw hostile(path, 'something stands where a link should be');
  await symlink(target, path);
}

function hostile(name: string, why: string): SbxError {
  return new SbxError('refused-policy', `the copy was refused at ${JSON.stringify(name).slice(0, 200)}`, {
    why,
    hint: 'what was written before it stays; look at what the sandbox holds there',
  });
}
