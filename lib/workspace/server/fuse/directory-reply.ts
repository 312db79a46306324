/** Encodes the entries of a folder (READDIR, READDIRPLUS). */
import { ENTRY_SIZE, type Entry, type Reply, writeEntry, writeU64 } from './encode.ts';
import { exactReply, scratchBody } from './scratch.ts';

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
  private readonly body: Buffer;
  private readonly plus: boolean;
  private at = 0;

  /** Only one at a time. @param size most bytes of entries */
  constructor(size: number, plus: boolean) {
    // Not zeroed as a whole: each record is, and only records leave.
    this.body = scratchBody(size);
    this.plus = plus;
  }

  get isEmpty(): boolean {
    return this.at === 0;
  }

  hasRoom(name: string): boolean {
    return this.at + this.recordSize(name) <= this.body.length;
  }

  /** @param entry undefined writes node 0: the kernel looks the name up itself */
  add({ ino, type, name, offset }: DirectoryEntry, entry: Entry | undefined): void {
    const end = this.at + this.recordSize(name);
    this.body.fill(0, this.at, end);
    if (entry !== undefined) writeEntry(this.body, this.at, entry);
    const dirent = this.at + (this.plus ? ENTRY_SIZE : 0);
    this.body.writeBigUInt64LE(ino, dirent);
    writeU64(this.body, dirent + 8, offset);
    this.body.writeUInt32LE(name.length, dirent + 16);
    this.body.writeUInt32LE(type, dirent + 20);
    this.body.write(name, dirent + DIRENT_SIZE, 'latin1');
    this.at = end;
  }

  finish(): Reply {
    return exactReply(this.body.subarray(0, this.at));
  }

  private recordSize(name: string): number {
    return (this.plus ? ENTRY_SIZE : 0) + ((DIRENT_SIZE + name.length + 7) & ~7);
  }
}
