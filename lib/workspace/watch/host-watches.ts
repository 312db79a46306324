/** Shares a bounded number of watches on folders of the host among the sessions of one server. */
import { readFileSync } from 'node:fs';
import { Errno, isErrno } from '../server/sys/errno.ts';
import { statFileSystem } from '../server/sys/files.ts';
import { IN, Inotify, type InotifyEvent } from './inotify.ts';
import { isShared } from './shared-file-systems.ts';

export interface FolderChange {
  mask: number;
  cookie: number;
  /** Bytes as a latin1 string; empty for the folder itself */
  name: string;
}

/** One session. Calls come between its requests, never within one. */
export interface Watcher {
  /** @param own the change happened while a request of this session ran */
  onChange(watch: number, change: FolderChange, own: boolean): void;
  /** The watch is gone: nothing in the folder may be cached from now on. */
  onLost(watch: number): void;
  /** Changes were lost: nothing that was read until now may be cached. */
  onOverflow(): void;
}

interface Watch {
  watchers: Set<Watcher>;
  usedAt: number;
}

export interface HostWatchesOptions {
  /** Most watches at a time; default: an eighth of what the host gives its user */
  max?: number;
  /** Most of one session; default: a half of them */
  maxEach?: number;
  /** Type of a folder's file system, as in statfs(2) */
  typeOf?: (folderFd: number) => number;
  /** Milliseconds of a monotonic clock */
  now?: () => number;
}

/** A folder that was used within this time keeps its watch: a walk through a large tree would replace each by the next. */
const IDLE_MS = 10_000;

export class HostWatches implements Disposable {
  readonly #inotify: Inotify | undefined;
  /** By number, the least recently used first */
  readonly #watches = new Map<number, Watch>();
  readonly #counts = new Map<Watcher, number>();
  readonly #max: number;
  readonly #maxEach: number;
  readonly #typeOf: (folderFd: number) => number;
  readonly #now: () => number;

  constructor(options: HostWatchesOptions = {}) {
    const { max = defaultMax(), maxEach, typeOf = typeOfFileSystem, now = () => performance.now() } = options;
    this.#max = max;
    this.#maxEach = maxEach ?? Math.ceil(max / 2);
    this.#typeOf = typeOf;
    this.#now = now;
    this.#inotify = max > 0 ? open(() => this.deliver()) : undefined;
  }

  get size(): number {
    return this.#watches.size;
  }

  /**
   * @returns the number of the folder's watch; undefined: no watch is left; `shared`: a watch would miss changes
   * @throws Errno for a folder that cannot be read or is gone
   */
  add(watcher: Watcher, folderFd: number): number | 'shared' | undefined {
    if (isShared(this.#typeOf(folderFd))) return 'shared';
    if (this.#inotify === undefined || !this.#makeRoomOf(watcher) || !this.#makeRoom()) return undefined;
    try {
      const number = this.#inotify.add(folderFd);
      const watch = this.#watches.get(number) ?? { watchers: new Set(), usedAt: 0 };
      if (!watch.watchers.has(watcher)) this.#counts.set(watcher, this.#countOf(watcher) + 1);
      watch.watchers.add(watcher);
      this.#watches.set(number, watch);
      this.touch(number);
      return number;
    } catch (error) {
      // Other programs of the user took what was left.
      if (error instanceof Errno && isErrno(error, 'ENOSPC')) return undefined;
      throw error;
    }
  }

  /** Marks a watch as used just now. */
  touch(number: number): void {
    const watch = this.#watches.get(number);
    if (watch === undefined) return;
    watch.usedAt = this.#now();
    this.#watches.delete(number);
    this.#watches.set(number, watch);
  }

  remove(watcher: Watcher, number: number): void {
    const watch = this.#watches.get(number);
    if (watch?.watchers.delete(watcher) !== true) return;
    this.#countDown(watcher);
    if (watch.watchers.size > 0) return;
    this.#watches.delete(number);
    this.#inotify?.remove(number);
  }

  /** Runs a request of a session, and delivers what happened meanwhile as its own changes. */
  during<T>(owner: Watcher, work: () => T): T {
    this.deliver();
    try {
      return work();
    } finally {
      this.deliver(owner);
    }
  }

  /** Delivers what has happened until now. */
  deliver(owner?: Watcher): void {
    for (const event of this.#inotify?.read() ?? []) this.#dispatch(event, owner);
  }

  [Symbol.dispose](): void {
    this.#inotify?.[Symbol.dispose]();
    this.#watches.clear();
  }

  #dispatch({ watch: number, ...change }: InotifyEvent, owner: Watcher | undefined): void {
    if ((change.mask & IN.Q_OVERFLOW) !== 0) {
      for (const watcher of this.#allWatchers()) watcher.onOverflow();
      return;
    }
    const watch = this.#watches.get(number);
    if (watch === undefined) return;
    if ((change.mask & (IN.IGNORED | IN.UNMOUNT)) !== 0) this.#drop(number, watch);
    else for (const watcher of [...watch.watchers]) watcher.onChange(number, change, watcher === owner);
  }

  #makeRoom(): boolean {
    if (this.#watches.size < this.#max) return true;
    const [oldest] = this.#watches;
    if (oldest === undefined || this.#now() - oldest[1].usedAt < IDLE_MS) return false;
    this.#inotify?.remove(oldest[0]);
    this.#drop(...oldest);
    return true;
  }

  /** A session that watches as much as it may gives up its own. */
  #makeRoomOf(watcher: Watcher): boolean {
    if (this.#countOf(watcher) < this.#maxEach) return true;
    for (const [number, { watchers, usedAt }] of this.#watches) {
      if (this.#now() - usedAt < IDLE_MS) return false;
      if (!watchers.has(watcher)) continue;
      this.remove(watcher, number);
      watcher.onLost(number);
      return true;
    }
    return false;
  }

  #countOf(watcher: Watcher): number {
    return this.#counts.get(watcher) ?? 0;
  }

  #countDown(watcher: Watcher): void {
    const count = this.#countOf(watcher) - 1;
    if (count > 0) this.#counts.set(watcher, count);
    else this.#counts.delete(watcher);
  }

  #drop(number: number, { watchers }: Watch): void {
    this.#watches.delete(number);
    for (const watcher of watchers) {
      this.#countDown(watcher);
      watcher.onLost(number);
    }
  }

  #allWatchers(): Set<Watcher> {
    return new Set([...this.#watches.values()].flatMap(({ watchers }) => [...watchers]));
  }
}

/** @returns undefined on a host that gives no instance: then nothing is watched */
function open(onReadable: () => void): Inotify | undefined {
  try {
    return new Inotify(onReadable);
  } catch (error) {
    if (error instanceof Errno) return undefined;
    throw error;
  }
}

/** The rest is for the user's own programs and for other servers. What the host says of them is the same in each jail. */
function defaultMax(): number {
  try {
    return Math.floor(Number(readFileSync('/proc/sys/fs/inotify/max_user_watches', 'utf8')) / 8) || 0;
  } catch {
    return 0;
  }
}

function typeOfFileSystem(folderFd: number): number {
  return statFileSystem(folderFd).type;
}
