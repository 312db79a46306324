/** The guest kernel's side of FUSE: encodes requests and decodes replies, written apart from the server's own code. */

export const OP = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  ACCESS: 34,
  CREATE: 35,
  INTERRUPT: 36,
  BMAP: 37,
  DESTROY: 38,
  IOCTL: 39,
  POLL: 40,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  COPY_FILE_RANGE: 47,
  TMPFILE: 51,
} as const;

export type Field = ['u32' | 'u64' | 'i64', number | bigint] | Buffer;

export const u32 = (value: number): Field => ['u32', value];
export const u64 = (value: number | bigint): Field => ['u64', value];
export const i64 = (value: number | bigint): Field => ['i64', value];

/** @returns the bytes of a name with its NUL */
export function name(text: string | Buffer): Buffer {
  return Buffer.concat([Buffer.from(text as string), Buffer.from([0])]);
}

export function pack(...fields: Field[]): Buffer {
  return Buffer.concat(
    fields.map((field) => {
      if (Buffer.isBuffer(field)) return field;
      const bytes = Buffer.alloc(field[0] === 'u32' ? 4 : 8);
      if (field[0] === 'u32') bytes.writeUInt32LE(Number(field[1]));
      else if (field[0] === 'u64') bytes.writeBigUInt64LE(BigInt(field[1]));
      else bytes.writeBigInt64LE(BigInt(field[1]));
      return bytes;
    }),
  );
}

export interface Request {
  opcode: number;
  unique: number;
  node: number | bigint;
  uid?: number;
  gid?: number;
  pid?: number;
}

export function frame({ opcode, unique, node, uid = 1000, gid = 1000, pid = 1 }: Request, body: Buffer): Buffer {
  const header = pack(u32(40 + body.length), u32(opcode), u64(unique), u64(node), u32(uid), u32(gid), u32(pid), u32(0));
  return Buffer.concat([header, body]);
}

export interface Attr {
  ino: bigint;
  size: number;
  blocks: number;
  atimeNs: bigint;
  mtimeNs: bigint;
  mode: number;
  nlink: number;
  uid: number;
  gid: number;
}

export function readAttr(body: Buffer, at: number): Attr {
  const time = (seconds: number, nanoseconds: number) =>
    body.readBigInt64LE(at + seconds) * 1_000_000_000n + BigInt(body.readUInt32LE(at + nanoseconds));
  return {
    ino: body.readBigUInt64LE(at),
    size: Number(body.readBigUInt64LE(at + 8)),
    blocks: Number(body.readBigUInt64LE(at + 16)),
    atimeNs: time(24, 48),
    mtimeNs: time(32, 52),
    mode: body.readUInt32LE(at + 60),
    nlink: body.readUInt32LE(at + 64),
    uid: body.readUInt32LE(at + 68),
    gid: body.readUInt32LE(at + 72),
  };
}

export interface Entry {
  node: number;
  attr: Attr;
}

export function readEntry(body: Buffer, at = 0): Entry {
  return { node: Number(body.readBigUInt64LE(at)), attr: readAttr(body, at + 40) };
}

export interface Dirent {
  name: Buffer;
  ino: bigint;
  type: number;
  offset: number;
  entry?: Entry;
}

export function readDirents(body: Buffer, plus: boolean): Dirent[] {
  const found: Dirent[] = [];
  for (let at = 0; at < body.length; ) {
    const dirent = at + (plus ? 128 : 0);
    const length = body.readUInt32LE(dirent + 16);
    found.push({
      name: Buffer.from(body.subarray(dirent + 24, dirent + 24 + length)),
      ino: body.readBigUInt64LE(dirent),
      type: body.readUInt32LE(dirent + 20),
      offset: Number(body.readBigUInt64LE(dirent + 8)),
      ...(plus && { entry: readEntry(body, at) }),
    });
    at = dirent + ((24 + length + 7) & ~7);
  }
  return found;
}
