/** Binds the system calls of libc that Node lacks, once, at the first use. */
import { createRequire } from 'node:module';
import { ERRNO, errnoError } from './errno.ts';
import { architecture } from './flags.ts';

type Koffi = typeof import('koffi');
type Call = (...args: (number | Buffer | null)[]) => number;

/** The type of the result, then those of the arguments */
const SIGNATURES = {
  openat: ['int', 'int', 'void*', 'int', 'uint'],
  statx: ['int', 'int', 'void*', 'int', 'uint', 'void*'],
  mkdirat: ['int', 'int', 'void*', 'uint'],
  unlinkat: ['int', 'int', 'void*', 'int'],
  linkat: ['int', 'int', 'void*', 'int', 'void*', 'int'],
  symlinkat: ['int', 'void*', 'int', 'void*'],
  readlinkat: ['int64', 'int', 'void*', 'void*', 'size_t'],
  fchmod: ['int', 'int', 'uint'],
  chmod: ['int', 'void*', 'uint'],
  utimensat: ['int', 'int', 'void*', 'void*', 'int'],
  ftruncate: ['int', 'int', 'int64'],
  fallocate: ['int', 'int', 'int', 'int64', 'int64'],
  lseek: ['int64', 'int', 'int64', 'int'],
  copy_file_range: ['int64', 'int', 'void*', 'int', 'void*', 'size_t', 'uint'],
  pread: ['int64', 'int', 'void*', 'size_t', 'int64'],
  pwrite: ['int64', 'int', 'void*', 'size_t', 'int64'],
  fcntl: ['int', 'int', 'int', 'int'],
  fstatfs: ['int', 'int', 'void*'],
  ioctl: ['int', 'int', 'ulong', 'void*'],
  fsetxattr: ['int', 'int', 'void*', 'void*', 'size_t', 'int'],
  fgetxattr: ['int64', 'int', 'void*', 'void*', 'size_t'],
  flistxattr: ['int64', 'int', 'void*', 'size_t'],
  fremovexattr: ['int', 'int', 'void*'],
  close: ['int', 'int'],
  read: ['int64', 'int', 'void*', 'size_t'],
  inotify_init1: ['int', 'int'],
  inotify_add_watch: ['int', 'int', 'void*', 'uint'],
  inotify_rm_watch: ['int', 'int', 'int'],
  dup3: ['int', 'int', 'int', 'int'],
  capget: ['int', 'void*', 'void*'],
  capset: ['int', 'void*', 'void*'],
} as const;

/** Calls without a wrapper in older C libraries, made through `syscall`; the first argument is the number. */
const BY_NUMBER = {
  openat2: ['int64', 'long', 'int', 'void*', 'void*', 'size_t'],
  getdents64: ['int64', 'long', 'int', 'void*', 'size_t'],
  renameat2: ['int64', 'long', 'int', 'void*', 'int', 'void*', 'uint'],
} as const;

type Libc = Record<keyof typeof SIGNATURES | keyof typeof BY_NUMBER, Call> & { errno: () => number };

let bound: Libc | undefined;

/** @throws Errno ENOSYS on a platform other than Linux on x64 and arm64 */
export function libc(): Libc {
  bound ??= bind();
  return bound;
}

/** @returns `result`; @throws Errno if the call failed */
export function check(result: number): number {
  if (result < 0) throw errnoError(libc().errno());
  return result;
}

/** Imported late: a platform without a prebuilt binary must be able to import this module. */
function bind(): Libc {
  if (process.platform !== 'linux' || architecture === undefined) throw errnoError(ERRNO.ENOSYS);
  const koffi = createRequire(import.meta.url)('koffi') as Koffi;
  const library = koffi.load(null);
  const plain = Object.entries(SIGNATURES).map(([name, [result, ...types]]) => [
    name,
    library.func(name, result, types),
  ]);
  const numbered = Object.entries(BY_NUMBER).map(([name, [result, ...types]]) => [
    name,
    library.func('syscall', result, types),
  ]);
  return Object.fromEntries([...plain, ...numbered, ['errno', () => koffi.errno()]]) as Libc;
}
