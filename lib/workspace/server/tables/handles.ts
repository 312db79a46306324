/** The files and folders that the guest has open, each a descriptor of the host. */
import { ERRNO, errnoError, fail } from '../sys/errno.ts';
import { closeFd } from '../sys/files.ts';
import { ListingBudget } from './listing.ts';
import type { Handle, Node } from './node.ts';

export interface NewHandle {
  node: Node;
  fd: number | undefined;
  flags: number;
  kind: Handle['kind'];
}

export class HandleTable implements Disposable {
  private readonly byId = new Map<number, Handle>();
  private readonly max: number;
  readonly listings: ListingBudget;
  nextId = 1;

  /** @param listingBytes most memory that the entries of open folders take */
  constructor({ max, listingBytes }: { max: number; listingBytes: number }) {
    this.max = max;
    this.listings = new ListingBudget(listingBytes);
  }

  get size(): number {
    return this.byId.size;
  }

  all(): Iterable<Handle> {
    return this.byId.values();
  }

  /** Call it before a descriptor is opened; @throws ENFILE */
  requireRoom(): void {
    if (this.byId.size >= this.max) fail('ENFILE');
  }

  add(opened: NewHandle, id = this.nextId++): Handle {
    const handle: Handle = { ...opened, id, listing: undefined, pending: 0, released: false };
    this.byId.set(id, handle);
    opened.node.handles ??= new Set();
    opened.node.handles.add(handle);
    return handle;
  }

  find(id: number): Handle | undefined {
    return this.byId.get(id);
  }

  /** @throws EBADF for a handle that is unknown, of another node or of another kind; EIO for one that was lost */
  get(id: number, node: Node, kind: Handle['kind']): Handle & { fd: number } {
    const handle = this.byId.get(id);
    if (handle === undefined || handle.node !== node || handle.kind !== kind) return fail('EBADF');
    if (handle.fd === undefined) return fail('EIO');
    return handle as Handle & { fd: number };
  }

  /** Closes the descriptor as soon as no other thread uses it. */
  release(id: number, node: Node): void {
    const handle = this.byId.get(id);
    if (handle === undefined || handle.node !== node) throw errnoError(ERRNO.EBADF);
    this.byId.delete(id);
    node.handles?.delete(handle);
    handle.released = true;
    this.listings.free(handle.listing);
    handle.listing = undefined;
    this.closeIdle(handle);
  }

  /** Runs `work` while the descriptor stays open. */
  async hold<T>(handle: Handle, work: () => Promise<T>): Promise<T> {
    handle.pending++;
    try {
      return await work();
    } finally {
      handle.pending--;
      this.closeIdle(handle);
    }
  }

  [Symbol.dispose](): void {
    for (const handle of [...this.byId.values()]) this.release(handle.id, handle.node);
  }

  private closeIdle(handle: Handle): void {
    if (!handle.released || handle.pending > 0 || handle.fd === undefined) return;
    closeFd(handle.fd);
    handle.fd = undefined;
  }
}
