/**
 * A folder held open: every access below it goes through its descriptor, so that no name is resolved twice and a folder that is swapped for
 * a symbolic link meanwhile redirects nothing. Node has no `openat`; on Linux `/proc/self/fd/N/NAME` is one.
 */
import { constants, type Stats } from 'node:fs';
import {
  chmod,
  chown,
  type FileHandle,
  lchown,
  lstat,
  lutimes,
  mkdir,
  open,
  readdir,
  readlink,
  realpath,
  rename,
  symlink,
  unlink,
  utimes,
} from 'node:fs/promises';
import { resolve } from 'node:path';
import { Failure } from '../protocol/failure.ts';

/** `O_PATH` needs search permission only; Node does not name it. The same number on x86-64 and arm64 */
const O_PATH = 0o10000000;
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;
const AS_FOLDER = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;

export class Folder implements AsyncDisposable {
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /**
   * Opens a folder by its real path.
   * @throws Failure `refused-policy` when the path leads through a symbolic link, `not-found` when there is no such folder.
   */
  static async open(path: string): Promise<Folder> {
    let folder = new Folder(await open('/', AS_FOLDER));
    try {
      for (const name of resolve(path).split('/').filter(Boolean)) {
        const next = await folder.enter(name);
        await folder[Symbol.asyncDispose]();
        folder = next;
      }
      return folder;
    } catch (error) {
      await folder[Symbol.asyncDispose]();
      throw await explainOpen(path, error);
    }
  }

  /** Opens a folder directly below. A symbolic link fails. */
  async enter(name: string): Promise<Folder> {
    return new Folder(await open(this.#at(name), AS_FOLDER));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }

  list(): Promise<Buffer[]> {
    return readdir(this.#self(), { encoding: 'buffer' });
  }

  /** Valid until it is disposed */
  get fd(): number {
    return this.#handle.fd;
  }

  /** Undefined: there is no such entry */
  async lstat(name: string): Promise<Stats | undefined> {
    return lstat(this.#at(name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
  }

  /** Does not block when the file was replaced by a pipe meanwhile. */
  openFile(name: string): Promise<FileHandle> {
    return open(this.#at(name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  }

  createFile(name: string): Promise<FileHandle> {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    return open(this.#at(name), flags, 0o600);
  }

  /** A file of this folder's file system that has no name and goes with its descriptor; fails where the file system has none. */
  createUnnamed(): Promise<FileHandle> {
    return open(this.#self(), constants.O_WRONLY | O_TMPFILE, 0o600);
  }

  linkTarget(name: string): Promise<string> {
    return readlink(this.#at(name));
  }

  async makeFolder(name: string): Promise<void> {
    await mkdir(this.#at(name), 0o700);
  }

  async makeLink(name: string, target: string): Promise<void> {
    await symlink(target, this.#at(name));
  }

  /** Replaces an existing entry; of a symbolic link it replaces the link, never its target. */
  async rename(from: string, to: string): Promise<void> {
    await rename(this.#at(from), this.#at(to));
  }

  async remove(name: string): Promise<void> {
    await unlink(this.#at(name));
  }

  async ownLink(name: string, owner: { uid: number; gid: number }): Promise<void> {
    await lchown(this.#at(name), owner.uid, owner.gid);
  }

  async dateLink(name: string, mtime: Date): Promise<void> {
    await lutimes(this.#at(name), mtime, mtime);
  }

  /** Sets the owner of this folder itself, through the path of its descriptor. */
  async own(owner: { uid: number; gid: number }): Promise<void> {
    await chown(this.#self(), owner.uid, owner.gid);
  }

  async setMode(mode: number): Promise<void> {
    await chmod(this.#self(), mode);
  }

  async date(mtime: Date): Promise<void> {
    await utimes(this.#self(), mtime, mtime);
  }

  #self(): string {
    return `/proc/self/fd/${this.#handle.fd}/`;
  }

  #at(name: string): string {
    if (!isPlainName(name))
      throw new Failure('refused-policy', `invalid file name: ${JSON.stringify(name).slice(0, 200)}`);
    return this.#self() + name;
  }
}

/** Whether it is exactly one component of a path, and not `.` or `..`. */
export function isPlainName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !name.includes('/') && !name.includes('\0');
}

async function explainOpen(path: string, error: unknown): Promise<unknown> {
  const code = (error as NodeJS.ErrnoException).code;
  if (code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'ELOOP') return error;
  const real = await realpath(path).catch(() => undefined);
  if (real === undefined || real === resolve(path))
    return new Failure('not-found', `there is no folder ${path}`, { cause: error });
  return new Failure('refused-policy', `${path} leads through a symbolic link`, {
    why: 'a sandbox can create links in shared folders, so copies follow none',
    hint: `if it is the intended folder, use ${real}`,
    cause: error,
  });
}
