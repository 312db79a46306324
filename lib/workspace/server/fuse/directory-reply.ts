/** Encodes the entries of a folder (READDIR, READDIRPLUS). */
import { ENTRY_SIZE, type Entry, OUT_HEADER_SIZE, type Reply, writeEntry, writeU64 } from './encode.ts';

const DIRENT_SIZE = 24;

export interface DirectoryEntry {
  ino: bigint;
  /** DT_* */
  type: number;
  /** Bytes as a latin1 string */
  name: string;
  /** Where the next read continues */
  offset: number;
}

export class DirectoryReply {
  private readonly reply: Buffer;
  private readonly plus: boolean;
  private at = OUT_HEADER_SIZE;

  /** @param size most bytes of entries */
  constructor(size: number, plus: boolean) {
    // Not zeroed as a whole: each record is, and only records leave.
    this.reply = Buffer.allocUnsafe(OUT_HEADER_SIZE + size);
    this.plus = plus;
  }

  get isEmpty(): boolean {
    return this.at === OUT_HEADER_SIZE;
  }

  hasRoom(name: string): boolean {
    return this.at + this.recordSize(name) <= this.reply.length;
  }

  /** @param entry undefined writes node 0: the kernel looks the name up itself */
  add({ ino, type, name, offset }: DirectoryEntry, entry: Entry | undefined): void {
    const end = this.at + this.recordSize(name);
    this.reply.fill(0, this.at, end);
    if (entry !== undefined) writeEntry(this.reply, this.at, entry);
    const dirent = this.at + (this.plus ? ENTRY_SIZE : 0);
    this.reply.writeBigUInt64LE(ino, dirent);
    writeU64(this.reply, dirent + 8, offset);
    this.reply.writeUInt32LE(name.length, dirent + 16);
    this.reply.writeUInt32LE(type, dirent + 20);
    this.reply.write(name, dirent + DIRENT_SIZE, 'latin1');
    this.at = end;
  }

  finish(): Reply {
    return this.reply.subarray(0, this.at);
  }

  private recordSize(name: string): number {
    return (this.plus ? ENTRY_SIZE : 0) + ((DIRENT_SIZE + name.length + 7) & ~7);
  }
}
