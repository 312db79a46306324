/** Error numbers of Linux (the same on x64 and arm64) and the error that carries one. */

export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EIO: 5,
  ENXIO: 6,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOTTY: 25,
  EFBIG: 27,
  ENOSPC: 28,
  EROFS: 30,
  ERANGE: 34,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENODATA: 61,
  EOPNOTSUPP: 95,
  ESTALE: 116,
} as const;

export type ErrnoName = keyof typeof ERRNO;

const NAMES = new Map<number, string>(Object.entries(ERRNO).map(([name, code]) => [code, name]));

/** A failed system call, or a request that the server refuses; `errno` is what the guest's kernel gets. */
export class Errno extends Error {
  override readonly name = 'Errno';
  readonly errno: number;

  constructor(errno: number) {
    super(NAMES.get(errno) ?? `errno ${errno}`);
    this.errno = errno;
  }
}

const made = new Map<number, Errno>();

/** @returns the one error object of `errno`: failed lookups are frequent, and a stack costs more than the call */
export function errnoError(errno: number): Errno {
  let error = made.get(errno);
  if (error === undefined) {
    error = new Errno(errno);
    made.set(errno, error);
  }
  return error;
}

/** Ends the current request with an error. */
export function fail(name: ErrnoName): never {
  throw errnoError(ERRNO[name]);
}

export function isErrno(error: unknown, name: ErrnoName): boolean {
  return error instanceof Errno && error.errno === ERRNO[name];
}
