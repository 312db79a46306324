/** A bounded cache of open descriptors of folders (O_PATH). */
import { Errno, fail } from '../sys/errno.ts';
import { closeFd, statFd } from '../sys/files.ts';
import { type Node, ROOT_NODE_ID } from './node.ts';
import { namesOf } from './nodes.ts';
import type { OpenFolder } from './volume.ts';

export interface DirectoryFdOptions {
  openFolder: OpenFolder;
  /** Most descriptors at a time, at least 8 */
  max: number;
  /** After it, the folder's path is walked again: the host may have moved the folder out of the root. In milliseconds */
  maxAgeMs: number;
  /** Milliseconds of a monotonic clock */
  now: () => number;
}

interface Cached {
  fd: number;
  openedAt: number;
}

/** Most folders that are gone from the disk and held for processes inside; what the guest's kernel forgets is closed at once */
const GONE_MAX = 128;

export class DirectoryFds implements Disposable {
  /** The least recently used first */
  private readonly cached = new Map<Node, Cached>();
  /** Folders that are gone from the disk: in such a one nothing can be made. The one that went first comes first. */
  private readonly gone = new Map<Node, number>();
  private readonly options: DirectoryFdOptions;

  constructor(options: DirectoryFdOptions) {
    this.options = { ...options, max: Math.max(8, options.max) };
  }

  /** @returns a descriptor that is valid until two more folders were asked for; @throws ENOTDIR, ESTALE */
  get(node: Node): number {
    if (node.root !== undefined) return node.root.fd;
    if (node.kind !== 'directory') fail('ENOTDIR');
    const gone = this.gone.get(node);
    if (gone !== undefined) return gone;
    const found = this.fresh(node);
    if (found !== undefined) {
      this.cached.delete(node);
      this.cached.set(node, found);
      return found.fd;
    }
    this.forget(node);
    return this.open(node);
  }

  /** The descriptor of a folder that is gone from the disk, if it is held */
  getGone(node: Node): number | undefined {
    return this.gone.get(node);
  }

  /** Takes an O_PATH descriptor of the folder, as if it had been opened here. */
  adopt(node: Node, fd: number): void {
    this.forget(node);
    this.keep(node, { fd, openedAt: this.options.now() });
  }

  /** Closes the descriptor: the next use walks the path again. */
  forget(node: Node): void {
    const gone = this.gone.get(node);
    if (gone !== undefined) closeFd(gone);
    this.gone.delete(node);
    const found = this.cached.get(node);
    if (found === undefined) return;
    this.cached.delete(node);
    closeFd(found.fd);
  }

  /** The folder has no name any more: it is held if it is gone from the disk, too, and was not only moved away. */
  forgetUnlessGone(node: Node): void {
    const found = this.cached.get(node);
    if (found === undefined || statFd(found.fd).nlink > 0) {
      this.forget(node);
      return;
    }
    this.cached.delete(node);
    const [oldest] = this.gone.size >= GONE_MAX ? this.gone.keys() : [];
    if (oldest !== undefined) this.forget(oldest);
    this.gone.set(node, found.fd);
  }

  [Symbol.dispose](): void {
    for (const { fd } of this.cached.values()) closeFd(fd);
    for (const fd of this.gone.values()) closeFd(fd);
    this.cached.clear();
    this.gone.clear();
  }

  private open(node: Node): number {
    const [link] = node.links;
    // Without a root of its own, the mount's root only lists the roots.
    if (link === undefined) return fail(node.id === ROOT_NODE_ID ? 'EROFS' : 'ESTALE');
    const { start, names } = namesOf(link, (above) => this.fresh(above) !== undefined);
    const from = this.fresh(start) ?? { fd: start.root?.fd ?? fail('ESTALE'), openedAt: this.options.now() };
    const fd = openOrStale(() => this.options.openFolder({ from: from.fd, names, identity: node.identity }));
    // As old as what it was reached from: together they are as far from the root as one of that age.
    this.keep(node, { fd, openedAt: from.openedAt });
    return fd;
  }

  private keep(node: Node, opened: Cached): void {
    const oldest = this.cached.size >= this.options.max ? this.cached.keys().next().value : undefined;
    if (oldest !== undefined) this.forget(oldest);
    this.cached.set(node, opened);
  }

  private fresh(node: Node): Cached | undefined {
    const found = this.cached.get(node);
    return found !== undefined && this.options.now() - found.openedAt < this.options.maxAgeMs ? found : undefined;
  }
}

const MOVED = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EXDEV']);

/** Something else lies at the folder's old place now: the guest's kernel must look the path up again. */
function openOrStale(open: () => number): number {
  try {
    return open();
  } catch (error) {
    if (error instanceof Errno && MOVED.has(error.message)) fail('ESTALE');
    throw error;
  }
}
