/** A client that speaks to the file server as a guest's kernel does, over an in-process stream. */
import { type Duplex, duplexPair } from 'node:stream';
import { type Session, type SessionOptions, serve } from '../../../../lib/workspace/server/session.ts';
import { type OpenFolder, openVolume } from '../../../../lib/workspace/server/tables/volume.ts';
import {
  type Attr,
  type Dirent,
  type Entry,
  frame,
  i64,
  name as nameBytes,
  OP,
  pack,
  readAttr,
  readDirents,
  readEntry,
  u32,
  u64,
} from './wire.ts';

type Name = string | Buffer;

export const ROOT = 1;

/** What the server answered instead of a result */
export class GuestError extends Error {
  readonly errno: number;

  constructor(errno: number) {
    super(`errno ${errno}`);
    this.errno = errno;
  }
}

const ENOSYS = 38;
const ALL_FLAGS = 0xffff_ffff;
const NO_OPENDIR_SUPPORT = 1 << 24;

export interface RigOptions extends Partial<SessionOptions> {
  /** The kernel opens folders before it reads them, as before Linux 5.1 */
  opensFolders?: boolean;
  openFolder?: OpenFolder;
  roots?: { name: string; path: string }[];
  /** Leaves out INIT */
  unmounted?: boolean;
}

export interface SetAttr {
  handle?: number;
  size?: number | bigint;
  mode?: number;
  uid?: number;
  gid?: number;
  atime?: { seconds: number; nanoseconds: number };
  mtime?: { seconds: number; nanoseconds: number };
}

export class Rig implements AsyncDisposable {
  readonly session: Session;
  /** The guest's end of the stream */
  readonly stream: Duplex;
  /** The server's end */
  readonly host: Duplex;
  readonly errors: unknown[] = [];
  /** Messages that the server sent unasked: code and body */
  readonly notifications: { code: number; body: Buffer }[] = [];
  readonly volume: ReturnType<typeof openVolume>;
  private readonly waiting = new Map<number, (reply: { error: number; body: Buffer }) => void>();
  private buffer: Buffer = Buffer.alloc(0);
  private unique = 1;
  user: { uid: number; gid: number; pid?: number } = { uid: 1000, gid: 1000 };

  private constructor(folder: string, options: RigOptions) {
    const [guest, host] = duplexPair();
    this.volume = openVolume(options.roots ?? [{ name: '', path: folder }], options.openFolder);
    const log = { info: () => {}, warn: () => {}, error: (_: string, error: unknown) => this.errors.push(error) };
    this.session = serve(host, this.volume, { log, ...options });
    this.stream = guest;
    this.host = host;
    guest.on('error', () => {});
    guest.on('data', (chunk: Buffer) => this.take(chunk));
    guest.on('end', () => guest.destroy());
  }

  static async mount(folder: string, options: RigOptions = {}): Promise<Rig> {
    const rig = new Rig(folder, options);
    if (options.unmounted !== true && options.saved === undefined)
      await rig.init(31, 7, options.opensFolders === true ? ~NO_OPENDIR_SUPPORT >>> 0 : ALL_FLAGS);
    return rig;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.session[Symbol.dispose]();
    await this.session.closed;
    this.volume[Symbol.dispose]();
  }

  init(minor = 31, major = 7, flags = ALL_FLAGS): Promise<Buffer> {
    return this.call(OP.INIT, 0, pack(u32(major), u32(minor), u32(131072), u32(flags)));
  }

  /** Sends a request; @throws GuestError */
  async call(opcode: number, node: number | bigint, body: Buffer = Buffer.alloc(0)): Promise<Buffer> {
    const unique = this.unique++;
    const reply = new Promise<{ error: number; body: Buffer }>((resolve) => this.waiting.set(unique, resolve));
    this.stream.write(frame({ opcode, unique, node, ...this.user }, body));
    const { error, body: answer } = await reply;
    if (error !== 0) throw new GuestError(-error);
    return answer;
  }

  /** Sends a request that has no reply. */
  send(opcode: number, node: number | bigint, body: Buffer): void {
    this.stream.write(frame({ opcode, unique: this.unique++, node }, body));
  }

  async lookup(parent: number, name: Name): Promise<Entry> {
    return readEntry(await this.call(OP.LOOKUP, parent, nameBytes(name)));
  }

  /** Looks up each name of a path below the root. */
  async walk(path: string): Promise<Entry> {
    let entry: Entry | undefined;
    for (const name of path.split('/')) entry = await this.lookup(entry?.node ?? ROOT, name);
    if (entry === undefined) throw new Error('empty path');
    return entry;
  }

  forget(node: number, count: number | bigint): void {
    this.send(OP.FORGET, node, pack(u64(count)));
  }

  async getattr(node: number, handle?: number): Promise<Attr> {
    const body = pack(u32(handle === undefined ? 0 : 1), u32(0), u64(handle ?? 0));
    return readAttr(await this.call(OP.GETATTR, node, body), 16);
  }

  async setattr(node: number, change: SetAttr): Promise<Attr> {
    const { handle, size, mode, uid, gid, atime, mtime } = change;
    const bits = [mode, uid, gid, size, atime, mtime, handle];
    const valid = bits.reduce<number>((all, value, bit) => (value === undefined ? all : all | (1 << bit)), 0);
    const body = pack(
      ...[u32(valid), u32(0), u64(handle ?? 0), u64(size ?? 0), u64(0)],
      ...[i64(atime?.seconds ?? 0), i64(mtime?.seconds ?? 0), i64(0)],
      ...[u32(atime?.nanoseconds ?? 0), u32(mtime?.nanoseconds ?? 0), u32(0)],
      ...[u32(mode ?? 0), u32(0), u32(uid ?? 0), u32(gid ?? 0), u32(0)],
    );
    return readAttr(await this.call(OP.SETATTR, node, body), 16);
  }

  readlink(node: number): Promise<Buffer> {
    return this.call(OP.READLINK, node);
  }

  async symlink(parent: number, name: Name, target: Name): Promise<Entry> {
    return readEntry(await this.call(OP.SYMLINK, parent, pack(nameBytes(name), nameBytes(target))));
  }

  async mknod(parent: number, name: Name, mode: number): Promise<Entry> {
    return readEntry(await this.call(OP.MKNOD, parent, pack(u32(mode), u32(0), u32(0o022), u32(0), nameBytes(name))));
  }

  async mkdir(parent: number, name: Name, mode = 0o755): Promise<Entry> {
    return readEntry(await this.call(OP.MKDIR, parent, pack(u32(mode), u32(0), nameBytes(name))));
  }

  async unlink(parent: number, name: Name): Promise<void> {
    await this.call(OP.UNLINK, parent, nameBytes(name));
  }

  async rmdir(parent: number, name: Name): Promise<void> {
    await this.call(OP.RMDIR, parent, nameBytes(name));
  }

  async rename(from: [number, Name], to: [number, Name], flags = 0): Promise<void> {
    const body = pack(u64(to[0]), u32(flags), u32(0), nameBytes(from[1]), nameBytes(to[1]));
    await this.call(OP.RENAME2, from[0], body);
  }

  async link(node: number, parent: number, name: Name): Promise<Entry> {
    return readEntry(await this.call(OP.LINK, parent, pack(u64(node), nameBytes(name))));
  }

  async open(node: number, flags = 0): Promise<number> {
    return Number((await this.call(OP.OPEN, node, pack(u32(flags), u32(0)))).readBigUInt64LE(0));
  }

  async create(parent: number, name: Name, { flags = 0o102, mode = 0o644, umask = 0 } = {}) {
    const body = pack(u32(flags), u32(mode), u32(umask), u32(0), nameBytes(name));
    const reply = await this.call(OP.CREATE, parent, body);
    return { ...readEntry(reply), handle: Number(reply.readBigUInt64LE(128)) };
  }

  async tmpfile(parent: number, mode = 0o644) {
    const body = pack(u32(0o20200002), u32(mode), u32(0), u32(0), nameBytes('/'));
    const reply = await this.call(OP.TMPFILE, parent, body);
    return { ...readEntry(reply), handle: Number(reply.readBigUInt64LE(128)) };
  }

  read(node: number, handle: number, { offset = 0, size = 4096 } = {}): Promise<Buffer> {
    return this.call(OP.READ, node, pack(u64(handle), u64(offset), u32(size), u32(0), u64(0), u32(0), u32(0)));
  }

  async write(node: number, handle: number, data: string | Buffer, { offset = 0, flags = 0 } = {}): Promise<number> {
    const bytes = Buffer.from(data as string);
    const fixed = pack(u64(handle), u64(offset), u32(bytes.length), u32(flags), u64(0), u32(0), u32(0));
    return (await this.call(OP.WRITE, node, Buffer.concat([fixed, bytes]))).readUInt32LE(0);
  }

  async release(node: number, handle: number): Promise<void> {
    await this.call(OP.RELEASE, node, pack(u64(handle), u32(0), u32(0), u64(0)));
  }

  async fsync(node: number, handle: number): Promise<void> {
    await this.call(OP.FSYNC, node, pack(u64(handle), u32(0), u32(0)));
  }

  async fallocate(node: number, handle: number, range: { offset: number; length: number; mode?: number }) {
    const { offset, length, mode = 0 } = range;
    await this.call(OP.FALLOCATE, node, pack(u64(handle), u64(offset), u64(length), u32(mode), u32(0)));
  }

  async lseek(node: number, handle: number, { offset, whence }: { offset: number; whence: number }): Promise<number> {
    const reply = await this.call(OP.LSEEK, node, pack(u64(handle), u64(offset), u32(whence), u32(0)));
    return Number(reply.readBigUInt64LE(0));
  }

  async copy(from: { node: number; handle: number; offset: number }, to: typeof from, length: number | bigint) {
    const { handle, offset } = from;
    const body = pack(
      ...[u64(handle), u64(offset), u64(to.node), u64(to.handle), u64(to.offset)],
      ...[u64(length), u64(0)],
    );
    return (await this.call(OP.COPY_FILE_RANGE, from.node, body)).readUInt32LE(0);
  }

  /** @returns 0 where folders are read without being opened */
  async opendir(node: number): Promise<number> {
    try {
      return Number((await this.call(OP.OPENDIR, node, pack(u32(0), u32(0)))).readBigUInt64LE(0));
    } catch (error) {
      if (error instanceof GuestError && error.errno === ENOSYS) return 0;
      throw error;
    }
  }

  async releasedir(node: number, handle: number): Promise<void> {
    if (handle === 0) return;
    await this.call(OP.RELEASEDIR, node, pack(u64(handle), u32(0), u32(0), u64(0)));
  }

  async readdir(node: number, handle: number, { offset = 0, size = 4096, plus = false } = {}): Promise<Dirent[]> {
    const body = pack(u64(handle), u64(offset), u32(size), u32(0), u64(0), u32(0), u32(0));
    return readDirents(await this.call(plus ? OP.READDIRPLUS : OP.READDIR, node, body), plus);
  }

  /** Reads a whole folder, as `ls -a` does. */
  async list(node: number, { size = 4096, plus = false } = {}): Promise<Dirent[]> {
    const handle = await this.opendir(node);
    const all: Dirent[] = [];
    for (;;) {
      const some = await this.readdir(node, handle, { offset: all.at(-1)?.offset ?? 0, size, plus });
      if (some.length === 0) break;
      all.push(...some);
    }
    await this.releasedir(node, handle);
    return all;
  }

  async setxattr(node: number, name: string, value: Buffer): Promise<void> {
    await this.call(OP.SETXATTR, node, pack(u32(value.length), u32(0), nameBytes(name), value));
  }

  getxattr(node: number, name: string, size = 65536): Promise<Buffer> {
    return this.call(OP.GETXATTR, node, pack(u32(size), u32(0), nameBytes(name)));
  }

  async listxattr(node: number, size = 65536): Promise<string[]> {
    const names = await this.call(OP.LISTXATTR, node, pack(u32(size), u32(0)));
    return names.toString('latin1').split('\0').slice(0, -1);
  }

  async removexattr(node: number, name: string): Promise<void> {
    await this.call(OP.REMOVEXATTR, node, nameBytes(name));
  }

  private take(chunk: Buffer): void {
    this.buffer = this.buffer.length === 0 ? chunk : Buffer.concat([this.buffer, chunk]);
    while (this.buffer.length >= 16 && this.buffer.length >= this.buffer.readUInt32LE(0)) {
      const length = this.buffer.readUInt32LE(0);
      const message = this.buffer.subarray(0, length);
      this.buffer = this.buffer.subarray(length);
      const error = message.readInt32LE(4);
      const unique = Number(message.readBigUInt64LE(8));
      if (unique === 0) this.notifications.push({ code: error, body: Buffer.from(message.subarray(16)) });
      this.waiting.get(unique)?.({ error, body: message.subarray(16) });
      this.waiting.delete(unique);
    }
  }
}

/** @returns the errno that a call was answered with; fails if it succeeded */
export async function errnoOf(call: Promise<unknown>): Promise<number> {
  try {
    await call;
  } catch (error) {
    if (error instanceof GuestError) return error.errno;
    throw error;
  }
  throw new Error('the call succeeded');
}
