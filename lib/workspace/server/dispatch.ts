/** Decodes each request and runs its operation. */
import { DECODERS, type Decoded } from './fuse/decode.ts';
import type { Reply } from './fuse/encode.ts';
import { IN_HEADER_SIZE, type RequestHeader } from './fuse/frames.ts';
import { type Opcode, opcodeName } from './fuse/opcodes.ts';
import { BodyReader } from './fuse/reader.ts';
import { getattr, setattr, statfs } from './ops/attributes.ts';
import type { Call } from './ops/call.ts';
import { create, mkdir, mknod, symlink } from './ops/create.ts';
import { opendir, readdir, readdirplus, releasedir } from './ops/directories.ts';
import { copyFileRange, fallocate, fsync, lseek, open, read, release, write } from './ops/files.ts';
import { link } from './ops/link.ts';
import { batchForget, forget, lookup, readlink } from './ops/lookup.ts';
import { rmdir, unlink } from './ops/remove.ts';
import { rename } from './ops/rename.ts';
import { tmpfile } from './ops/unnamed.ts';
import { getxattr, listxattr, removexattr, setxattr } from './ops/xattrs.ts';
import { countingLinks, untilNamesAreKnown } from './pending-names.ts';
import { fail } from './sys/errno.ts';
import { withOwnerRights } from './sys/owner-rights.ts';
import type { ServerState } from './tables/state.ts';

const ROOT_UID = 0;
const UNCACHED = { entrySeconds: 0, attributeSeconds: 0, missingSeconds: 0 };

type Answer = Reply | undefined | Promise<Reply>;
type Operation = (call: Call, body: BodyReader) => Answer;

const OPERATIONS: Partial<Record<Opcode, Operation>> = {
  LOOKUP: bind(DECODERS.LOOKUP, lookup),
  FORGET: bind(DECODERS.FORGET, silent(forget)),
  GETATTR: bind(DECODERS.GETATTR, getattr),
  SETATTR: bind(DECODERS.SETATTR, setattr),
  READLINK: bind(DECODERS.READLINK, readlink),
  SYMLINK: bind(DECODERS.SYMLINK, symlink),
  MKNOD: bind(DECODERS.MKNOD, mknod),
  MKDIR: bind(DECODERS.MKDIR, mkdir),
  UNLINK: bind(DECODERS.UNLINK, unlink),
  RMDIR: bind(DECODERS.RMDIR, rmdir),
  RENAME: bind(DECODERS.RENAME, rename),
  RENAME2: bind(DECODERS.RENAME2, rename),
  LINK: bind(DECODERS.LINK, linkCounted),
  OPEN: bind(DECODERS.OPEN, open),
  CREATE: bind(DECODERS.CREATE, create),
  TMPFILE: bind(DECODERS.TMPFILE, tmpfile),
  READ: bind(DECODERS.READ, read),
  WRITE: bind(DECODERS.WRITE, write),
  FSYNC: bind(DECODERS.FSYNC, fsync),
  FSYNCDIR: bind(DECODERS.FSYNCDIR, fsync),
  RELEASE: bind(DECODERS.RELEASE, release),
  OPENDIR: bind(DECODERS.OPENDIR, opendir),
  READDIR: bind(DECODERS.READDIR, readdir),
  READDIRPLUS: bind(DECODERS.READDIRPLUS, readdirplus),
  RELEASEDIR: bind(DECODERS.RELEASEDIR, releasedir),
  STATFS: bind(DECODERS.STATFS, statfs),
  SETXATTR: bind(DECODERS.SETXATTR, setxattr),
  GETXATTR: bind(DECODERS.GETXATTR, getxattr),
  LISTXATTR: bind(DECODERS.LISTXATTR, listxattr),
  REMOVEXATTR: bind(DECODERS.REMOVEXATTR, removexattr),
  FALLOCATE: bind(DECODERS.FALLOCATE, fallocate),
  LSEEK: bind(DECODERS.LSEEK, lseek),
  COPY_FILE_RANGE: bind(DECODERS.COPY_FILE_RANGE, copyFileRange),
  IOCTL: () => fail('ENOTTY'),
};

/** Their header names no node. INTERRUPT is ignored because every call is short. */
const WITHOUT_NODE: Partial<Record<Opcode, (state: ServerState, body: BodyReader) => undefined>> = {
  BATCH_FORGET: (state, body) => void batchForget(state, DECODERS.BATCH_FORGET(body)),
  INTERRUPT: () => undefined,
  NOTIFY_REPLY: () => undefined,
};

/**
 * Runs one request other than INIT and DESTROY.
 * @returns undefined for a request without a reply; @throws Errno
 */
export function dispatch(state: ServerState, header: RequestHeader, frame: Buffer): Answer {
  const name = opcodeName(header.opcode);
  if (name === undefined) return fail('ENOSYS');
  const body = new BodyReader(frame, IN_HEADER_SIZE);
  const general = WITHOUT_NODE[name];
  if (general !== undefined) return general(state, body);
  // ACCESS, too: the guest's kernel checks permissions itself. And FLUSH, so that a `close` costs no question: each write has reached the host's kernel.
  const operation = OPERATIONS[name] ?? fail('ENOSYS');
  const node = state.nodes.get(header.node);
  state.onRequest?.();
  const call = { state, node, uid: header.uid, gid: header.gid };
  const perform = (from: BodyReader) => asCaller(call, () => operation(call, from));
  const pending = untilNamesAreKnown(state, { name, node, frame });
  if (pending === undefined) return perform(body);
  // The frame is valid until the next one.
  const kept = Buffer.from(frame);
  const next = () => untilNamesAreKnown(state, { name, node, frame: kept });
  return afterAll(pending, next).then(async () => {
    state.onRequest?.();
    return (await uncached(state, () => perform(new BodyReader(kept, IN_HEADER_SIZE)))) ?? fail('EIO');
  });
}

/** One wait may end because other rules came into force, which have not seen the names themselves. */
async function afterAll(first: Promise<void>, next: () => Promise<void> | undefined): Promise<void> {
  for (let wait: Promise<void> | undefined = first; wait !== undefined; wait = next()) await wait;
}

/** How long answers are valid was decided for the last request, which is another one by now. */
function uncached(state: ServerState, work: () => Answer): Answer {
  const { lifetimes, keepCache } = state;
  Object.assign(state, { lifetimes: UNCACHED, keepCache: false });
  try {
    return work();
  } finally {
    Object.assign(state, { lifetimes, keepCache });
  }
}

/** Modes deny root inside nothing, as on a disk. All others are checked by the guest's kernel first, and by the host's again. */
function asCaller({ uid }: Call, work: () => Answer): Answer {
  return uid === ROOT_UID ? withOwnerRights(work) : work();
}

function linkCounted(call: Call, request: Decoded['LINK']): Reply {
  return countingLinks(call.state, call.state.nodes.find(request.node), () => link(call, request));
}

function bind<T>(decode: (body: BodyReader) => T, operation: (call: Call, request: T) => Answer): Operation {
  return (call, body) => operation(call, decode(body));
}

function silent<T>(operation: (call: Call, request: T) => void): (call: Call, request: T) => undefined {
  return (call, request) => void operation(call, request);
}
