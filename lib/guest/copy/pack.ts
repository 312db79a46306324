/** Packs a file or a whole folder as a tar stream, depth first, each name below `./`. Symbolic links are stored as links, never followed; holes are left out. */
import { constants, type Stats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import tar from 'tar-stream';
import { Failure } from '../protocol/failure.ts';
import { findParts } from './find-parts.ts';
import type { Folder } from './folder.ts';
import { encodeMap, type Part } from './sparse-map.ts';
import { type CopyResult, emptyResult, type Header, skip } from './types.ts';

/** Files up to this size are read at once */
const SMALL_FILE = 256 * 1024;
const READ_BYTES = 64 * 1024;
/** Highest modification time that the tar writer can store */
const LATEST_SECOND = 2 ** 31 - 1;

export interface PackOptions {
  folder: Folder;
  /** Entry of `folder` */
  name: string;
  /** Command of perl, which finds the holes of files; empty: none */
  perl: string[];
}

/**
 * Packs one entry. Yields pieces of about `READ_BYTES`; files are read only as fast as the pieces are consumed.
 * The generator returns the result; stopping it early ends the reading.
 */
export async function* pack(options: PackOptions): AsyncGenerator<Buffer, CopyResult> {
  const archive = tar.pack();
  const result = emptyResult();
  const work = addEntry({ ...options, archive, result, path: '.' }).then(
    () => archive.finalize(),
    (error: unknown) => archive.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  try {
    let pieces: Buffer[] = [];
    let size = 0;
    for await (const piece of archive as AsyncIterable<Buffer>) {
      pieces.push(piece);
      size += piece.length;
      if (size < READ_BYTES) continue;
      // A piece of a large file is passed on as it was read.
      yield pieces.length === 1 ? piece : Buffer.concat(pieces);
      pieces = [];
      size = 0;
    }
    yield Buffer.concat(pieces);
    return result;
  } finally {
    archive.destroy();
    await work;
  }
}

interface Item extends PackOptions {
  archive: tar.Pack;
  result: CopyResult;
  /** In the archive */
  path: string;
}

async function addEntry(item: Item): Promise<void> {
  const found = await item.folder.lstat(item.name);
  if (found === undefined) {
    if (item.path === '.') throw new Failure('not-found', `there is no ${item.name}`);
    return skip(item.result, item.path, 'it was removed while the copy ran');
  }
  if (found.isDirectory()) await addFolder(item, found);
  else if (found.isFile()) await addFile(item, found);
  else if (found.isSymbolicLink()) {
    const linkname = await item.folder.linkTarget(item.name);
    await write(item, { ...headerOf(item, found), type: 'symlink', linkname });
  } else if (item.path === '.') throw new Failure('usage', `${item.name} is neither a file, a folder nor a link`);
  else skip(item.result, item.path, 'it is neither a file, a folder nor a link');
}

async function addFolder(item: Item, found: Stats): Promise<void> {
  await using folder = await item.folder.enter(item.name);
  await write(item, { ...headerOf(item, found), name: `${item.path}/`, type: 'directory' });
  const names = (await folder.list()).toSorted(Buffer.compare);
  for (const bytes of names) {
    const name = bytes.toString();
    if (Buffer.from(name).equals(bytes)) await addEntry({ ...item, folder, name, path: `${item.path}/${name}` });
    else skip(item.result, `${item.path}/${bytes.toString('latin1')}`, 'its name is not UTF-8');
  }
}

async function addFile(item: Item, found: Stats): Promise<void> {
  await using file = await item.folder.openFile(item.name);
  const now = await file.stat();
  if ((now.mode & constants.S_IFMT) !== constants.S_IFREG || now.ino !== found.ino)
    throw new Failure('guest-failed', `${item.path} changed while it was copied`);
  const header: Header = { ...headerOf(item, now), type: 'file', size: now.size };
  if (now.size <= SMALL_FILE) await write(item, header, await readUpTo(file, now.size));
  else {
    const sparse = await findParts(file, now, item.perl);
    const { map, header: more } = sparse === undefined ? { map: undefined, header: {} } : encodeMap(sparse);
    const parts = sparse?.parts ?? [{ at: 0, length: now.size }];
    await writeLarge(item, { file, header: { ...header, ...more }, map, parts });
  }
  item.result.bytes += now.size;
}

function headerOf(item: Item, found: Stats): Header {
  const seconds = Math.min(Math.max(Math.floor(found.mtimeMs / 1000), 0), LATEST_SECOND);
  return { name: item.path, mode: found.mode & 0o777, mtime: new Date(seconds * 1000), uid: 0, gid: 0 };
}

/** Resolves when the archive's reader has consumed it. */
function write(item: Item, header: Header, content?: Buffer): Promise<void> {
  item.result.entries += 1;
  return new Promise((resolve, reject) => {
    const done = (error?: Error | null) => (error ? reject(error) : resolve());
    if (content === undefined) item.archive.entry(header, done);
    else item.archive.entry(header, content, done);
  });
}

interface LargeFile {
  file: FileHandle;
  header: Header;
  map: Buffer | undefined;
  parts: readonly Part[];
}

function writeLarge(item: Item, { file, header, map, parts }: LargeFile): Promise<void> {
  item.result.entries += 1;
  return new Promise((resolve, reject) => {
    const sink = item.archive.entry(header, (error) => (error ? reject(error) : resolve()));
    const pump = async () => {
      if (map !== undefined) sink.write(map);
      for await (const piece of readParts(file, parts)) {
        if (piece === undefined) throw new Failure('guest-failed', `${item.path} became shorter while it was copied`);
        if (!sink.write(piece)) await new Promise<void>((drained) => sink.once('drain', () => drained()));
      }
      sink.end(undefined);
    };
    sink.on('error', reject);
    pump().catch((error: Error) => {
      sink.destroy(error);
      reject(error);
    });
  });
}

/** Yields undefined where the file ends early. */
async function* readParts(file: FileHandle, parts: readonly Part[]): AsyncGenerator<Buffer | undefined> {
  for (const { at, length } of parts)
    for (let done = 0; done < length; ) {
      const size = Math.min(length - done, READ_BYTES);
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(size), 0, size, at + done);
      if (bytesRead === 0) yield undefined;
      done += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
}

/** Reads `size` bytes: a file that grows meanwhile is cut, one that shrank makes the entry fail. */
async function readUpTo(file: FileHandle, size: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(size);
  for (let at = 0; at < size; ) {
    const { bytesRead } = await file.read(buffer, at, size - at);
    if (bytesRead === 0) return buffer.subarray(0, at);
    at += bytesRead;
  }
  return buffer;
}
