/** A bounded cache of open descriptors of folders (O_PATH). */
import { Errno, fail } from '../sys/errno.ts';
import { closeFd } from '../sys/files.ts';
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

export class DirectoryFds implements Disposable {
  /** The least recently used first */
  private readonly cached = new Map<Node, Cached>();
  private readonly options: DirectoryFdOptions;

  constructor(options: DirectoryFdOptions) {
    this.options = { ...options, max: Math.max(8, options.max) };
  }

  /** @returns a descriptor that is valid until two more folders were asked for; @throws ENOTDIR, ESTALE */
  get(node: Node): number {
    if (node.root !== undefined) return node.root.fd;
    if (node.kind !== 'directory') fail('ENOTDIR');
    const found = this.fresh(node);
    if (found !== undefined) {
      this.cached.delete(node);
      this.cached.set(node, found);
      return found.fd;
    }
    this.forget(node);
    return this.open(node);
  }

  /** Closes the descriptor: the next use walks the path again. */
  forget(node: Node): void {
    const found = this.cached.get(node);
    if (found === undefined) return;
    this.cached.delete(node);
    closeFd(found.fd);
  }

  [Symbol.dispose](): void {
    for (const { fd } of this.cached.values()) closeFd(fd);
    this.cached.clear();
  }

  private open(node: Node): number {
    const [link] = node.links;
    // Without a root of its own, the mount's root only lists the roots.
    if (link === undefined) return fail(node.id === ROOT_NODE_ID ? 'EROFS' : 'ESTALE');
    const { start, names } = namesOf(link, (above) => this.fresh(above) !== undefined);
    const from = this.fresh(start) ?? { fd: start.root?.fd ?? fail('ESTALE'), openedAt: this.options.now() };
    const fd = openOrStale(() => this.options.openFolder({ from: from.fd, names, identity: node.identity }));
    const oldest = this.cached.size >= this.options.max ? this.cached.keys().next().value : undefined;
    if (oldest !== undefined) this.forget(oldest);
    // As old as what it was reached from: together they are as far from the root as one of that age.
    this.cached.set(node, { fd, openedAt: from.openedAt });
    return fd;
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
