/** Flags and numbers of Linux system calls; those that differ between architectures are chosen by `process.arch`. */

interface Architecture {
  O_DIRECTORY: number;
  O_NOFOLLOW: number;
  GETDENTS64: number;
  RENAMEAT2: number;
}

const ARCHITECTURES: Partial<Record<NodeJS.Architecture, Architecture>> = {
  x64: { O_DIRECTORY: 0o200000, O_NOFOLLOW: 0o400000, GETDENTS64: 217, RENAMEAT2: 316 },
  arm64: { O_DIRECTORY: 0o40000, O_NOFOLLOW: 0o100000, GETDENTS64: 61, RENAMEAT2: 276 },
};

/** Undefined on an architecture that the server does not support: the binding then refuses to load. */
export const architecture = ARCHITECTURES[process.arch];

export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_ACCMODE = 3;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
const O_NOCTTY = 0o400;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
export const O_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;
export const O_DIRECTORY = architecture?.O_DIRECTORY ?? 0;
export const O_NOFOLLOW = architecture?.O_NOFOLLOW ?? 0;
export const O_TMPFILE = 0o20000000 | O_DIRECTORY;

/** Added to every open: no symbolic link, no inherited descriptor, no terminal, and no wait if the host put a FIFO there */
export const O_SAFE = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

/** No link, no `..` out of the starting folder, no jump through /proc */
export const RESOLVE_INSIDE = 0x08 | 0x04 | 0x02;

export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_REMOVEDIR = 0x200;
export const AT_SYMLINK_FOLLOW = 0x400;
export const AT_EMPTY_PATH = 0x1000;

export const RENAME_NOREPLACE = 1;
export const RENAME_EXCHANGE = 2;

export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;

export const FALLOC_FL_KEEP_SIZE = 1;
export const FALLOC_FL_PUNCH_HOLE = 2;
export const FALLOC_FL_ZERO_RANGE = 16;

export const S_IFMT = 0o170000;
export const S_IFIFO = 0o010000;
export const S_IFCHR = 0o020000;
export const S_IFBLK = 0o060000;
export const S_IFREG = 0o100000;
export const S_IFSOCK = 0o140000;
export const S_IFDIR = 0o040000;
export const S_IFLNK = 0o120000;
export const S_ISUID = 0o4000;
export const S_ISGID = 0o2000;

/** Values of `tv_nsec` for utimensat */
export const UTIME_NOW = 0x3fffffff;
export const UTIME_OMIT = 0x3ffffffe;
