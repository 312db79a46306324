/** Estimates the size of an archive before it is made, for a display of progress. */
import type { Folder } from './folder.ts';

/** A header and the padding of a file, on average */
const ENTRY_BYTES = 768;
/** Unit of `Stats.blocks` */
const BLOCK = 512;

export interface TotalOptions {
  folder: Folder;
  name: string;
  signal: AbortSignal;
}

/** In bytes. Undefined: it was aborted, or a part cannot be read: the copy itself reports that */
export async function totalSize(options: TotalOptions): Promise<number | undefined> {
  return sizeOf(options).catch(() => undefined);
}

async function sizeOf({ folder, name, signal }: TotalOptions): Promise<number> {
  signal.throwIfAborted();
  const found = await folder.lstat(name);
  if (found?.isFile()) return ENTRY_BYTES + Math.min(found.size, found.blocks * BLOCK);
  if (!found?.isDirectory()) return ENTRY_BYTES;
  await using below = await folder.enter(name);
  let total = ENTRY_BYTES;
  for (const bytes of await below.list()) total += await sizeOf({ folder: below, name: bytes.toString(), signal });
  return total;
}
