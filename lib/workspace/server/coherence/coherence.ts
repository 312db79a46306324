/** Lets the guest's kernel cache what the host's watches cover, and takes it back when the host changes it. */
import type { FolderChange, HostWatches, Watcher } from '../../watch/host-watches.ts';
import { DECODERS } from '../fuse/decode.ts';
import { OUT_HEADER_SIZE, type Reply } from '../fuse/encode.ts';
import { IN_HEADER_SIZE, type RequestHeader } from '../fuse/frames.ts';
import type { Invalidation } from '../fuse/notify.ts';
import { OPCODES } from '../fuse/opcodes.ts';
import { BodyReader } from '../fuse/reader.ts';
import { statNode } from '../overlay/resolve.ts';
import { isTop } from '../overlay/top.ts';
import { Errno } from '../sys/errno.ts';
import type { Node } from '../tables/node.ts';
import type { ServerState } from '../tables/state.ts';
import { CachedFolders, type Folder, type WatchedPart } from './cached-folders.ts';
import { type HostEdit, judgeChange, staleOf } from './host-change.ts';
import { type Expected, expectedOf, isExpected } from './own-changes.ts';
import { PRIVATE_SECONDS, PrivateCache } from './private-cache.ts';
import { isListing, UnwatchedListings } from './unwatched-listings.ts';

/** What a watch covers is valid until the guest's kernel is told otherwise: this only bounds an error of the watches. In seconds */
const CACHE_SECONDS = 3600;
/** No table has the names that the kernel remembers as missing: this bounds how long a new one is missed that was made while no server ran. In seconds */
const MISSING_SECONDS = 10;
const CACHED = { entrySeconds: CACHE_SECONDS, attributeSeconds: CACHE_SECONDS, missingSeconds: MISSING_SECONDS };
const UNCACHED = { entrySeconds: 0, attributeSeconds: 0, missingSeconds: 0 };

/** An editor's save is several changes: the guest is told once. In milliseconds */
const SETTLE_MS = 3;

/** The kernel takes the invalidation of a file that it learns of at this moment for one of a file that it does not know. In milliseconds */
export const AGAIN_MS = 20;

/** More changes at a time are taken as lost ones. */
const CHANGES_MAX = 20_000;

export type Answer = Reply | undefined | Promise<Reply>;

export interface CoherenceOptions {
  watches: HostWatches;
  /** Called when it changes: are all, some or none of the folders that the guest uses watched? */
  onWatched?: (state: WatchedPart) => void;
}

interface Deps extends CoherenceOptions {
  state: ServerState;
  send: (invalidation: Invalidation) => void;
  /** What programs inside are to be told, after the invalidations of the same changes */
  onEdits: (edits: HostEdit[]) => void;
}

interface Pending {
  folder: Node;
  name: string;
  mask: number;
  cookie: number;
}

export class Coherence implements Watcher, Disposable {
  readonly #deps: Deps;
  readonly #folders: CachedFolders;
  readonly #private: PrivateCache;
  readonly #unwatched: UnwatchedListings;
  readonly #pending = new Map<string, Pending>();
  #expected: Expected | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#folders = new CachedFolders(this, deps);
    this.#private = new PrivateCache(deps.state);
    this.#unwatched = new UnwatchedListings(deps.send, AGAIN_MS);
    deps.state.attributeLifetime = (node, { nlink }) => {
      if (node.where === 'layer') return PRIVATE_SECONDS;
      if (node.kind === 'directory') return isTop(node) || this.#folders.has(node) ? CACHE_SECONDS : 0;
      // The host can change it through a name in a folder that is not watched.
      return nlink > 1 ? 0 : deps.state.lifetimes.attributeSeconds;
    };
    deps.state.onUnreachable = (node) => this.#folders.remove(node);
  }

  /** Runs a request. The watch comes before the host is read: no change falls between them. */
  run(header: RequestHeader, frame: Buffer, work: () => Answer): Answer {
    const { state } = this.#deps;
    const node = state.nodes.find(header.node);
    if (node?.where === 'layer') this.#private.allow(header, frame, node);
    else {
      const folder = node === undefined ? undefined : this.#cover(node);
      if (header.opcode === OPCODES.LOOKUP) return this.#lookup(folder, frame, work);
      state.lifetimes = folder === undefined ? UNCACHED : CACHED;
      state.keepCache = folder !== undefined && node !== undefined && this.#keeps(header.opcode, node, folder);
    }
    const reply = this.#watched(header, frame, work);
    if (node !== undefined && isListing(header.opcode) && state.lifetimes.entrySeconds === 0)
      this.#unwatched.add(node.id);
    this.#private.noteNew(header, reply);
    return reply;
  }

  /** What the guest's own request changes on the host is no change of the host. */
  #watched(header: RequestHeader, frame: Buffer, work: () => Answer): Answer {
    const { state, watches } = this.#deps;
    this.#expected = expectedOf(state, header, frame);
    if (this.#expected === undefined) return work();
    try {
      return watches.during(this, work);
    } finally {
      this.#expected = undefined;
    }
  }

  onChange(watch: number, change: FolderChange, own: boolean): void {
    const folder = this.#folders.ofWatch(watch);
    if (folder === undefined) return;
    if (own && this.#expected !== undefined && isExpected(this.#expected, folder.node, change)) return;
    if (this.#pending.size >= CHANGES_MAX) this.onOverflow();
    const key = `${folder.node.id}/${change.name}`;
    const known = this.#pending.get(key);
    this.#pending.set(key, {
      folder: folder.node,
      name: change.name,
      mask: (known?.mask ?? 0) | change.mask,
      cookie: change.cookie || (known?.cookie ?? 0),
    });
    this.#timer ??= setTimeout(() => this.#flush(), SETTLE_MS);
  }

  onLost(watch: number): void {
    const folder = this.#folders.ofWatch(watch);
    if (folder === undefined) return;
    this.#folders.lost(folder);
    this.#invalidateFolder(folder);
  }

  onOverflow(): void {
    this.#pending.clear();
    for (const folder of this.#folders.all()) this.#invalidateFolder(folder);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#unwatched[Symbol.dispose]();
    this.#folders[Symbol.dispose]();
  }

  /** Keeps count of the names that the kernel may take as missing. */
  #lookup(folder: Folder | undefined, frame: Buffer, work: () => Answer): Answer {
    const now = Date.now();
    const { state } = this.#deps;
    state.lifetimes = folder === undefined ? UNCACHED : folder.hasRoom(now) ? CACHED : { ...CACHED, missingSeconds: 0 };
    const reply = work();
    const isMissing = Buffer.isBuffer(reply) && isNegative(reply);
    if (isMissing) folder?.addMissing(nameOf(frame), now + MISSING_SECONDS * 1000);
    return reply;
  }

  /** Watches the folder of a request, or the one that its file lies in. @returns undefined: nothing may be cached */
  #cover(node: Node): Folder | undefined {
    if (node.kind === 'directory') return this.#folders.cover(node);
    const [link, ...more] = node.links;
    return link === undefined || more.length > 0 ? undefined : this.#folders.cover(link.parent);
  }

  /** Data and entries that the kernel read before the watch began are dropped by the first open after it. */
  #keeps(opcode: number, node: Node, folder: Folder): boolean {
    if (opcode === OPCODES.OPENDIR) {
      const wasListed = folder.listed;
      folder.listed = true;
      return wasListed;
    }
    if (opcode !== OPCODES.OPEN || node.kind !== 'file') return false;
    const isKnown = folder.opened.has(node);
    folder.opened.add(node);
    try {
      return isKnown && statNode(this.#deps.state, node).nlink === 1;
    } catch (error) {
      if (error instanceof Errno) return false;
      throw error;
    }
  }

  #invalidateFolder(folder: Folder): void {
    for (const invalidation of staleOf(this.#deps.state, folder.node, folder.missing())) this.#deps.send(invalidation);
    folder.forgetAll();
  }

  #flush(): void {
    this.#timer = undefined;
    const changes = [...this.#pending.values()];
    this.#pending.clear();
    const edits: HostEdit[] = [];
    const again: Invalidation[] = [];
    const now = performance.now();
    const changed = new Set<Node>();
    for (const change of changes) {
      const folder = this.#folders.get(change.folder);
      if (folder === undefined) continue;
      const isFirst = !changed.has(change.folder);
      const found = judgeChange(this.#deps.state, { ...change, isFirst, wasMissing: folder.isMissing(change.name) });
      if (found === 'unreachable') {
        this.#folders.remove(change.folder);
        this.#invalidateFolder(folder);
        continue;
      }
      changed.add(change.folder);
      for (const invalidation of found.invalidations) {
        this.#deps.send(invalidation);
        if (invalidation.type === 'inode' && folder.isInUse(now)) again.push(invalidation);
      }
      if (found.edit !== undefined) edits.push(found.edit);
    }
    for (const node of changed) {
      const listing: Invalidation = { type: 'inode', node: node.id };
      this.#deps.send(listing);
      if (this.#folders.get(node)?.isInUse(now)) again.push(listing);
    }
    if (again.length > 0) setTimeout(() => again.forEach(this.#deps.send), AGAIN_MS);
    if (edits.length > 0) this.#deps.onEdits(edits);
  }
}

function isNegative(reply: Reply): boolean {
  return reply.length > OUT_HEADER_SIZE && reply.readBigUInt64LE(OUT_HEADER_SIZE) === 0n;
}

function nameOf(frame: Buffer): string {
  return DECODERS.LOOKUP(new BodyReader(frame, IN_HEADER_SIZE)).name;
}
