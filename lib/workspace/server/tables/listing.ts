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
  /** Index of the first entry that is the private layer's; the number of entries if there is none */
  ownFrom: number;
}

/** An open folder, of which a part is listed */
export interface Source {
  fd: number;
  /** The private layer's. Such sources come last, and only the first of all gives `.` and `..`. */
  isOwn: boolean;
  /** @returns DT_* as the guest sees it; undefined to leave the entry out */
  typeOf?: (entry: ListedEntry) => number | undefined;
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

  /** Reads the folders from their first entries; @throws ENOMEM over the budget */
  read(sources: Source[]): Listing {
    const all: { bytes: Buffer; source: Source }[] = [];
    let size = 0;
    for (const source of sources) {
      const bytes = this.readAll(source.fd, size);
      size += bytes.length;
      all.push({ bytes, source });
    }
    return this.account(all);
  }

  private readAll(fd: number, before: number): Buffer {
    seek(fd, 0, 0);
    const chunks: Buffer[] = [];
    for (let size = before; ; ) {
      const chunk = Buffer.allocUnsafe(CHUNK);
      const length = readEntries(fd, chunk);
      if (length === 0) return Buffer.concat(chunks);
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

  private account(all: { bytes: Buffer; source: Source }[]): Listing {
    const [first] = all;
    const bytes = all.length === 1 && first !== undefined ? first.bytes : Buffer.concat(all.map((one) => one.bytes));
    const listing: Listing = { bytes, starts: [], ownFrom: -1 };
    let begin = 0;
    for (const { bytes: part, source } of all) {
      if (source.isOwn && listing.ownFrom < 0) listing.ownFrom = listing.starts.length;
      select(listing, { source, begin, end: begin + part.length });
      begin += part.length;
    }
    if (listing.ownFrom < 0) listing.ownFrom = listing.starts.length;
    this.registry.set(listing, bytes.length);
    this.used += bytes.length;
    return listing;
  }
}

function select(listing: Listing, { source, begin, end }: { source: Source; begin: number; end: number }): void {
  const { bytes, starts } = listing;
  for (let at = begin; at < end; at += bytes.readUInt16LE(at + 16)) {
    const type =
      source.typeOf === undefined ? bytes[at + 18] : typeAt(source.typeOf, { bytes, at, isFirst: begin === 0 });
    if (type === undefined) continue;
    bytes[at + 18] = type;
    starts.push(at);
  }
}

function typeAt(
  typeOf: Required<Source>['typeOf'],
  { bytes, at, isFirst }: { bytes: Buffer; at: number; isFirst: boolean },
): number | undefined {
  const entry = readEntry(bytes, at);
  if (entry.name !== '.' && entry.name !== '..') return typeOf(entry);
  return isFirst ? entry.type : undefined;
}

export function entryAt({ bytes, starts }: Listing, index: number): ListedEntry | undefined {
  const at = starts[index];
  return at === undefined ? undefined : readEntry(bytes, at);
}

function readEntry(bytes: Buffer, at: number): ListedEntry {
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
