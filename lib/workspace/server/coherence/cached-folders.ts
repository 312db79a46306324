/** The folders of one guest that are watched on the host, and what its kernel may hold of each. */
import type { HostWatches, Watcher } from '../../watch/host-watches.ts';
import { isTop } from '../overlay/top.ts';
import { Errno } from '../sys/errno.ts';
import type { Node } from '../tables/node.ts';
import type { ServerState } from '../tables/state.ts';

/** Names of one folder that the kernel may remember as missing; more of them are not cached */
const MISSING_MAX = 512;

/** How often a watch is marked as used, in milliseconds */
const TOUCH_MS = 1000;

/** A folder that could not be watched is tried again after this time, in milliseconds */
const RETRY_MS = 1000;

/** Without a refusal for so long, all that the guest uses is watched. In milliseconds */
const CLEARED_MS = 10_000;

/** Are all, some or none of the folders that the guest uses watched? */
export type WatchedPart = 'all' | 'some' | 'none';

export class Folder {
  readonly node: Node;
  readonly watch: number;
  touchedAt = Number.NEGATIVE_INFINITY;
  /** Files that were opened since the watch began */
  opened = new WeakSet<Node>();
  /** Its entries were read since the watch began */
  listed = false;
  readonly #missing = new Map<string, number>();

  constructor(node: Node, watch: number) {
    this.node = node;
    this.watch = watch;
  }

  hasRoom(now: number): boolean {
    if (this.#missing.size < MISSING_MAX) return true;
    for (const [name, until] of this.#missing) if (until <= now) this.#missing.delete(name);
    return this.#missing.size < MISSING_MAX;
  }

  addMissing(name: string, until: number): void {
    this.#missing.set(name, until);
  }

  /** The guest asks about it at this time, give or take a second. */
  isInUse(now: number): boolean {
    return now - this.touchedAt < 2 * TOUCH_MS;
  }

  isMissing(name: string): boolean {
    return this.#missing.has(name);
  }

  missing(): Iterable<string> {
    return this.#missing.keys();
  }

  /** The kernel was told to drop all of it. */
  forgetAll(): void {
    this.#missing.clear();
    this.opened = new WeakSet();
    this.listed = false;
  }
}

interface Deps {
  state: ServerState;
  watches: HostWatches;
  onWatched?: (state: WatchedPart) => void;
}

export class CachedFolders implements Disposable {
  readonly #watcher: Watcher;
  readonly #deps: Deps;
  readonly #byNode = new Map<Node, Folder>();
  readonly #byWatch = new Map<number, Folder>();
  #refusedAt = Number.NEGATIVE_INFINITY;
  /** The guest uses a folder that no watch covers */
  #hasShared = false;
  #reported: WatchedPart | undefined;

  constructor(watcher: Watcher, deps: Deps) {
    this.#watcher = watcher;
    this.#deps = deps;
  }

  /** @returns the folder if it is watched from now on */
  cover(node: Node): Folder | undefined {
    const now = performance.now();
    const known = this.#byNode.get(node);
    if (known === undefined) return isTop(node) ? undefined : this.#add(node, now);
    if (now - known.touchedAt > TOUCH_MS) {
      known.touchedAt = now;
      this.#deps.watches.touch(known.watch);
      if (now - this.#refusedAt > CLEARED_MS) this.#report('all');
    }
    return known;
  }

  has(node: Node): boolean {
    return this.#byNode.has(node);
  }

  get(node: Node): Folder | undefined {
    return this.#byNode.get(node);
  }

  ofWatch(watch: number): Folder | undefined {
    return this.#byWatch.get(watch);
  }

  all(): Iterable<Folder> {
    return this.#byNode.values();
  }

  remove(node: Node): void {
    const folder = this.#byNode.get(node);
    if (folder === undefined) return;
    this.#deps.watches.remove(this.#watcher, folder.watch);
    this.lost(folder);
  }

  /** The watch is gone already. */
  lost(folder: Folder): void {
    this.#byNode.delete(folder.node);
    this.#byWatch.delete(folder.watch);
  }

  [Symbol.dispose](): void {
    for (const folder of [...this.all()]) this.remove(folder.node);
  }

  #add(node: Node, now: number): Folder | undefined {
    if (now - this.#refusedAt < RETRY_MS) return undefined;
    const watch = this.#tryWatch(node);
    if (watch === undefined) return undefined;
    if (watch === 'shared') {
      this.#hasShared = true;
      this.#report(this.#byNode.size > 0 ? 'some' : 'none');
      return undefined;
    }
    if (watch === 'refused') {
      this.#refusedAt = now;
      this.#report(this.#byNode.size > 0 ? 'some' : 'none');
      return undefined;
    }
    const folder = new Folder(node, watch);
    folder.touchedAt = now;
    this.#byNode.set(node, folder);
    this.#byWatch.set(watch, folder);
    this.#report(now - this.#refusedAt < CLEARED_MS ? 'some' : 'all');
    return folder;
  }

  #tryWatch(node: Node): number | 'refused' | 'shared' | undefined {
    try {
      return this.#deps.watches.add(this.#watcher, this.#deps.state.fds.get(node)) ?? 'refused';
    } catch (error) {
      // The folder is gone, and the request itself says so; or it cannot be listed.
      if (error instanceof Errno) return undefined;
      throw error;
    }
  }

  #report(found: WatchedPart): void {
    const state = found === 'all' && this.#hasShared ? 'some' : found;
    if (state === this.#reported) return;
    this.#reported = state;
    this.#deps.onWatched?.(state);
  }
}
