/** Decodes the body of each request that has one. Every function throws EINVAL on a malformed body. */
import type { InitRequest } from './init.ts';
import { type BodyReader, requireSize } from './reader.ts';

const FATTR_MODE = 1 << 0;
const FATTR_UID = 1 << 1;
const FATTR_GID = 1 << 2;
const FATTR_SIZE = 1 << 3;
const FATTR_ATIME = 1 << 4;
const FATTR_MTIME = 1 << 5;
const FATTR_FH = 1 << 6;
const FATTR_ATIME_NOW = 1 << 7;
const FATTR_MTIME_NOW = 1 << 8;
const FATTR_KILL_SUIDGID = 1 << 11;
const GETATTR_FH = 1;
const FSYNC_DATA_ONLY = 1;
const WRITE_CACHE = 1;
const WRITE_KILL_SUIDGID = 1 << 2;
const OPEN_KILL_SUIDGID = 1 << 0;

export const DECODERS = {
  INIT: (body: BodyReader): InitRequest => ({
    major: body.u32(),
    minor: body.u32(),
    maxReadahead: body.u32(),
    flags: body.u32(),
  }),
  LOOKUP: (body: BodyReader) => ({ name: body.name() }),
  FORGET: (body: BodyReader) => ({ lookups: body.id() }),
  BATCH_FORGET: decodeBatchForget,
  GETATTR: (body: BodyReader) => {
    const flags = body.u32();
    body.skip(4);
    const handle = body.id();
    return { handle: (flags & GETATTR_FH) === 0 ? undefined : handle };
  },
  SETATTR: decodeSetattr,
  READLINK: nothing,
  SYMLINK: (body: BodyReader) => ({ name: body.name(), target: body.text() }),
  MKNOD: (body: BodyReader) => {
    const [mode, rdev, umask] = [body.u32(), body.u32(), body.u32(), body.u32()];
    return { mode, rdev, umask, name: body.name() };
  },
  MKDIR: (body: BodyReader) => ({ mode: body.u32(), umask: body.u32(), name: body.name() }),
  UNLINK: (body: BodyReader) => ({ name: body.name() }),
  RMDIR: (body: BodyReader) => ({ name: body.name() }),
  RENAME: (body: BodyReader) => ({ newParent: body.id(), flags: 0, name: body.name(), newName: body.name() }),
  RENAME2: (body: BodyReader) => {
    const [newParent, flags] = [body.id(), body.u32(), body.u32()];
    return { newParent, flags, name: body.name(), newName: body.name() };
  },
  LINK: (body: BodyReader) => ({ node: body.id(), name: body.name() }),
  OPEN: decodeOpen,
  OPENDIR: decodeOpen,
  CREATE: (body: BodyReader) => ({ ...decodeCreate(body), name: body.name() }),
  /** The kernel names it "/", which is not used. */
  TMPFILE: decodeCreate,
  READ: decodeRead,
  READDIR: decodeRead,
  READDIRPLUS: decodeRead,
  WRITE: (body: BodyReader) => {
    const [handle, offset, size, flags] = [body.id(), body.size(), body.u32(), body.u32()];
    body.skip(16);
    return {
      handle,
      offset,
      fromCache: (flags & WRITE_CACHE) !== 0,
      endsPrivileges: (flags & WRITE_KILL_SUIDGID) !== 0,
      data: body.bytes(size),
    };
  },
  FSYNC: decodeFsync,
  FSYNCDIR: decodeFsync,
  FLUSH: (body: BodyReader) => ({ handle: body.id() }),
  RELEASE: (body: BodyReader) => ({ handle: body.id() }),
  RELEASEDIR: (body: BodyReader) => ({ handle: body.id() }),
  STATFS: nothing,
  SETXATTR: (body: BodyReader) => {
    const [size, flags] = [body.u32(), body.u32()];
    return { flags, name: body.text(), value: body.bytes(size) };
  },
  GETXATTR: (body: BodyReader) => {
    const [size] = [body.u32(), body.u32()];
    return { size, name: body.text() };
  },
  LISTXATTR: (body: BodyReader) => ({ size: body.u32() }),
  REMOVEXATTR: (body: BodyReader) => ({ name: body.text() }),
  FALLOCATE: (body: BodyReader) => ({ handle: body.id(), offset: body.size(), length: body.size(), mode: body.u32() }),
  LSEEK: (body: BodyReader) => ({ handle: body.id(), offset: body.position(), whence: body.u32() }),
  COPY_FILE_RANGE: (body: BodyReader) => ({
    handle: body.id(),
    offset: body.position(),
    node: body.id(),
    toHandle: body.id(),
    toOffset: body.size(),
    /** NaN: more than any file has */
    length: body.id(),
    flags: body.id(),
  }),
  DESTROY: nothing,
} as const;

export type Decoded = { [K in keyof typeof DECODERS]: ReturnType<(typeof DECODERS)[K]> };

/** A time to set: exact, the host's current one, or undefined to leave it */
type NewTime = { seconds: number; nanoseconds: number } | 'now' | undefined;

function nothing(): undefined {}

function decodeSetattr(body: BodyReader) {
  const [valid, , handle, size] = [body.u32(), body.u32(), body.id(), body.id()];
  body.skip(8); // lock_owner
  const [atime, mtime] = [body.i64(), body.i64()];
  body.skip(8); // ctime
  const [atimeNs, mtimeNs] = [body.u32(), body.u32()];
  body.skip(4);
  const mode = body.u32();
  body.skip(4);
  const [uid, gid] = [body.u32(), body.u32()];
  const has = (bit: number) => (valid & bit) !== 0;
  const time = (now: boolean, set: boolean, exact: { seconds: number; nanoseconds: number }): NewTime =>
    now ? 'now' : set ? exact : undefined;
  return {
    handle: has(FATTR_FH) ? handle : undefined,
    size: has(FATTR_SIZE) ? requireSize(size) : undefined,
    endsPrivileges: has(FATTR_KILL_SUIDGID),
    mode: has(FATTR_MODE) ? mode : undefined,
    uid: has(FATTR_UID) ? uid : undefined,
    gid: has(FATTR_GID) ? gid : undefined,
    atime: time(has(FATTR_ATIME_NOW), has(FATTR_ATIME), { seconds: atime, nanoseconds: atimeNs }),
    mtime: time(has(FATTR_MTIME_NOW), has(FATTR_MTIME), { seconds: mtime, nanoseconds: mtimeNs }),
  };
}

function decodeOpen(body: BodyReader) {
  const [flags, openFlags] = [body.u32(), body.u32()];
  return { flags, endsPrivileges: (openFlags & OPEN_KILL_SUIDGID) !== 0 };
}

function decodeCreate(body: BodyReader) {
  const [flags, mode, umask, openFlags] = [body.u32(), body.u32(), body.u32(), body.u32()];
  return { flags, mode, umask, endsPrivileges: (openFlags & OPEN_KILL_SUIDGID) !== 0 };
}

function decodeRead(body: BodyReader) {
  return { handle: body.id(), offset: body.position(), size: body.u32() };
}

function decodeFsync(body: BodyReader) {
  return { handle: body.id(), dataOnly: (body.u32() & FSYNC_DATA_ONLY) !== 0 };
}

function decodeBatchForget(body: BodyReader) {
  const [count] = [body.u32(), body.u32()];
  const one = 16;
  const present = Math.min(count, Math.floor(body.remaining / one));
  return { forgets: Array.from({ length: present }, () => ({ node: body.id(), lookups: body.id() })) };
}
