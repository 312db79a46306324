/** The entries of an open folder, read at once so that an offset is an index. */
import { fail } from '../sys/errno.ts';
import { readEntries, seek } from '../sys/files.ts';
import type { FileKind } from '../sys/stat.ts';

const CHUNK = 64 * 1024;

/** Of the kernel's struct linux_dirent64 */
const NAME_OFFSET = 19;

export interface ListedEntry {
  ino: bigint;
  /** DT_*, the upper bits of the mode */
  type: number;
  /** Bytes as a latin1 string */
  name: string;
}

export interface Listing {
  /** As the kernel wrote them: a quarter of the memory that objects would take */
  bytes: Buffer;
  /** Where each entry begins */
  starts: number[];
}

/** Counts the memory of all listings: a guest can open many large folders. */
export class ListingBudget {
  private used = 0;
  private readonly max: number;
  private readonly registry = new WeakMap<Listing, number>();

  /** @param max in bytes */
  constructor(max: number) {
    this.max = max;
  }

  /** Reads the folder from its first entry; @throws ENOMEM over the budget */
  read(fd: number): Listing {
    seek(fd, 0, 0);
    const chunks: Buffer[] = [];
    for (let size = 0; ; ) {
      const chunk = Buffer.allocUnsafe(CHUNK);
      const length = readEntries(fd, chunk);
      if (length === 0) return this.account(Buffer.concat(chunks));
      size += length;
      if (this.used + size > this.max) fail('ENOMEM');
      chunks.push(chunk.subarray(0, length));
    }
  }

  free(listing: Listing | undefined): void {
    const size = listing === undefined ? undefined : this.registry.get(listing);
    if (listing === undefined || size === undefined) return;
    this.registry.delete(listing);
    this.used -= size;
  }

  private account(bytes: Buffer): Listing {
    const starts: number[] = [];
    for (let at = 0; at < bytes.length; at += bytes.readUInt16LE(at + 16)) starts.push(at);
    const listing = { bytes, starts };
    this.registry.set(listing, bytes.length);
    this.used += bytes.length;
    return listing;
  }
}

export function entryAt({ bytes, starts }: Listing, index: number): ListedEntry | undefined {
  const at = starts[index];
  if (at === undefined) return undefined;
  const name = at + NAME_OFFSET;
  return {
    ino: bytes.readBigUInt64LE(at),
    type: bytes[at + 18] ?? 0,
    name: bytes.toString('latin1', name, bytes.indexOf(0, name)),
  };
}

const KINDS = new Map<number, FileKind>([
  [4, 'directory'],
  [8, 'file'],
  [10, 'symlink'],
]);

/** @returns 'unknown' where the file system gives no type */
export function kindOfEntry(entry: ListedEntry): FileKind | 'unknown' {
  return entry.type === 0 ? 'unknown' : (KINDS.get(entry.type) ?? 'other');
}
