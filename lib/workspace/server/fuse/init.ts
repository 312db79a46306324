/** Negotiates the FUSE connection. */
import { newReply } from './encode.ts';
import { MAX_WRITE } from './limits.ts';

const MAJOR = 7;
const MINOR = 31;

/** Before it, replies have another size (7.23). Every kernel since Linux 3.15 is newer. */
const MINOR_MIN = 23;

const MAX_PAGES = 256;
const MAX_READAHEAD = 1024 * 1024;

const ASYNC_READ = 1 << 0;
const ATOMIC_O_TRUNC = 1 << 3;
const BIG_WRITES = 1 << 5;
const DO_READDIRPLUS = 1 << 13;
const READDIRPLUS_AUTO = 1 << 14;
const PARALLEL_DIROPS = 1 << 18;
const HANDLE_KILLPRIV = 1 << 19;
const MAX_PAGES_FLAG = 1 << 22;
const CACHE_SYMLINKS = 1 << 23;
/** Since Linux 5.1: a folder is read without OPENDIR once that was answered with ENOSYS. */
const NO_OPENDIR_SUPPORT = 1 << 24;
const EXPLICIT_INVAL_DATA = 1 << 25;
/** Since Linux 5.11: the kernel says with which writes set-user-id and set-group-id bits end. Before, they end with each. */
const HANDLE_KILLPRIV_V2 = 1 << 28;

/**
 * Not among them: WRITEBACK_CACHE, because the host edits the same files; POSIX_LOCKS and FLOCK_LOCKS, because the
 * guest's kernel keeps the locks of its own processes; DONT_MASK, so that the kernel applies the umask.
 */
const WANTED =
  ASYNC_READ |
  ATOMIC_O_TRUNC |
  BIG_WRITES |
  DO_READDIRPLUS |
  READDIRPLUS_AUTO |
  PARALLEL_DIROPS |
  HANDLE_KILLPRIV |
  MAX_PAGES_FLAG |
  CACHE_SYMLINKS |
  NO_OPENDIR_SUPPORT |
  EXPLICIT_INVAL_DATA |
  HANDLE_KILLPRIV_V2;

export interface InitRequest {
  major: number;
  minor: number;
  /** In bytes */
  maxReadahead: number;
  flags: number;
}

/** What both sides agreed on */
export interface Negotiated {
  minor: number;
  maxReadahead: number;
  flags: number;
}

/** @returns undefined for a kernel that cannot be served; a newer major version asks again with 7 */
export function negotiate(request: InitRequest): Negotiated | 'retry' | undefined {
  if (request.major > MAJOR) return 'retry';
  if (request.major < MAJOR || request.minor < MINOR_MIN) return undefined;
  const flags = (WANTED & request.flags) >>> 0;
  return {
    minor: Math.min(MINOR, request.minor),
    maxReadahead: Math.min(MAX_READAHEAD, request.maxReadahead),
    flags: saysWhenPrivilegesEnd({ flags }) ? flags & ~HANDLE_KILLPRIV : flags,
  };
}

/** False: set-user-id and set-group-id bits end with every write, also of root. */
export function saysWhenPrivilegesEnd({ flags }: Pick<Negotiated, 'flags'>): boolean {
  return (flags & HANDLE_KILLPRIV_V2) !== 0;
}

export function needsNoOpendir({ flags }: Pick<Negotiated, 'flags'>): boolean {
  return (flags & NO_OPENDIR_SUPPORT) !== 0;
}

/** @param agreed undefined asks a newer kernel to repeat INIT with this major version */
export function encodeInit(agreed: Negotiated | undefined): Buffer {
  const { reply, body } = newReply(64);
  body.writeUInt32LE(MAJOR, 0);
  body.writeUInt32LE(agreed?.minor ?? MINOR, 4);
  if (agreed === undefined) return reply;
  body.writeUInt32LE(agreed.maxReadahead, 8);
  body.writeUInt32LE(agreed.flags, 12);
  body.writeUInt16LE(64, 16); // max_background
  body.writeUInt16LE(48, 18); // congestion_threshold
  body.writeUInt32LE(MAX_WRITE, 20);
  body.writeUInt32LE(1, 24); // time_gran: nanoseconds
  body.writeUInt16LE(MAX_PAGES, 28);
  return reply;
}
