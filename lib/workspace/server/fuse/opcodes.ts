/** Numbers of FUSE requests and notifications (Linux include/uapi/linux/fuse.h). */

export const OPCODES = {
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
  NOTIFY_REPLY: 41,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  COPY_FILE_RANGE: 47,
  TMPFILE: 51,
} as const;

export type Opcode = keyof typeof OPCODES;

const NAMES = new Map<number, Opcode>(Object.entries(OPCODES).map(([name, number]) => [number, name as Opcode]));

export function opcodeName(number: number): Opcode | undefined {
  return NAMES.get(number);
}

/** Requests that the kernel expects no reply to; one would end the mount. */
const SILENT: ReadonlySet<number> = new Set([
  OPCODES.FORGET,
  OPCODES.BATCH_FORGET,
  OPCODES.INTERRUPT,
  OPCODES.NOTIFY_REPLY,
]);

export function expectsReply(opcode: number): boolean {
  return !SILENT.has(opcode);
}

export const NOTIFY_INVAL_INODE = 2;
export const NOTIFY_INVAL_ENTRY = 3;
export const NOTIFY_DELETE = 6;

/** Not of FUSE: the relay names the process that repeats the host's changes inside, in the header's pid. */
export const ANNOUNCE = 0x5342_5801;
/** Not of FUSE: the relay hands the message to that process. */
export const NOTIFY_ORDER = 0x5342_5802;
/** Not of FUSE: the relay takes no further request, and says so once none waits for a reply. */
export const NOTIFY_PAUSE = 0x7061_7573;
export const PAUSED = 0x5342_5803;
