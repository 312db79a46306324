/** Writes the content of an entry into a new file, with its holes if it has a map of them. */
import type { FileHandle } from 'node:fs/promises';
import { MapReader, type Part, SPARSE_TYPE } from './sparse-map.ts';
import type { Header } from './types.ts';

/** Returns the size of the file, in bytes. @throws Failure `refused-policy` for a map that is invalid */
export async function writeContent(file: FileHandle, header: Header, content: AsyncIterable<Buffer>): Promise<number> {
  return header.type === SPARSE_TYPE ? writeSparse(file, header, content) : writePlain(file, content);
}

async function writePlain(file: FileHandle, content: AsyncIterable<Buffer>): Promise<number> {
  let size = 0;
  for await (const chunk of content) {
    await writeAll(file, chunk, size);
    size += chunk.length;
  }
  return size;
}

/** What is never written is a hole. */
async function writeSparse(file: FileHandle, header: Header, content: AsyncIterable<Buffer>): Promise<number> {
  const reader = new MapReader(header);
  let filler: PartFiller | undefined;
  for await (const chunk of content) {
    const from = filler === undefined ? reader.push(chunk) : 0;
    if (from === undefined) continue;
    filler ??= new PartFiller(file, reader.file().parts);
    await filler.write(chunk.subarray(from));
  }
  const { size } = reader.file();
  await file.truncate(size);
  return size;
}

class PartFiller {
  readonly #file: FileHandle;
  readonly #parts: readonly Part[];
  #index = 0;
  /** Written of the current part */
  #done = 0;

  constructor(file: FileHandle, parts: readonly Part[]) {
    this.#file = file;
    this.#parts = parts;
  }

  /** The map was checked: there is as much data as its parts hold. */
  async write(data: Buffer): Promise<void> {
    for (let from = 0; from < data.length; ) {
      const part = this.#parts[this.#index];
      if (part === undefined) return;
      const piece = data.subarray(from, from + part.length - this.#done);
      await writeAll(this.#file, piece, part.at + this.#done);
      from += piece.length;
      this.#done += piece.length;
      if (this.#done < part.length) continue;
      this.#index += 1;
      this.#done = 0;
    }
  }
}

async function writeAll(file: FileHandle, data: Buffer, position: number): Promise<void> {
  for (let at = 0; at < data.length; ) at += (await file.write(data, at, data.length - at, position + at)).bytesWritten;
}
