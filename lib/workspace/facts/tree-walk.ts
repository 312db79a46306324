/** Visits every folder of a root in slices, with pauses in which the guest's requests are answered. */
import { Errno } from '../server/sys/errno.ts';

export interface TreeWalkOptions {
  /** @returns folders that were not known */
  visit: (path: string) => string[];
  /** The folders of the walks before */
  known: () => Iterable<string>;
  /** Milliseconds of a monotonic clock */
  now: () => number;
}

interface Waiter {
  after: number;
  resolve: () => void;
}

/** At the start, before anything is served */
const FIRST_MS = 50;
/** Of each slice, and the pause after it, unless a request waits for the end */
const SLICE_MS = 8;
/** Between two walks: what they find besides the folders that the guest uses */
const WALK_EVERY_MS = 30_000;
/** After a folder that could not be opened, for want of descriptors */
const RETRY_MS = 500;
/** Installed packages come last: they are many, and few rules hold there */
const PACKAGES = /(^|\/)node_modules(\/|$)/;

export class TreeWalk implements Disposable {
  readonly #options: TreeWalkOptions;
  #queue: string[] = [''];
  #packages: string[] = [];
  #begunAt = Date.now();
  #completedSince: number | undefined;
  #isDone = false;
  #wasDone = false;
  #isDisposed = false;
  #timer: NodeJS.Timeout | undefined;
  #waiters: Waiter[] = [];

  constructor(options: TreeWalkOptions) {
    this.#options = options;
  }

  start(): void {
    this.#slice(FIRST_MS);
  }

  /** When the last complete walk began, in milliseconds since 1970; undefined: there was none */
  get completedSince(): number | undefined {
    return this.#completedSince;
  }

  /** Undefined: every folder that there was at the start has been visited. Otherwise it resolves when they have, or when the root is given up. */
  firstEnd(): Promise<void> | undefined {
    return this.#wasDone || this.#isDisposed ? undefined : this.completedAfter(0);
  }

  /** Resolves when a walk is complete that began after this time (milliseconds since 1970), or when the root is given up. */
  completedAfter(after: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push({ after, resolve });
      this.#plan(0);
    });
  }

  /** Visits these folders again, as a part of the walk that is under way or was complete. */
  add(paths: readonly string[]): void {
    if (paths.length === 0) return;
    for (const path of paths) this.#queue.push(path);
    this.#completedSince = undefined;
    this.#isDone = false;
    this.#plan(0);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#isDisposed = true;
    this.#release(() => true);
  }

  #slice(ms: number): void {
    const { now } = this.#options;
    const until = now() + ms;
    for (let next = this.#next(); next !== undefined; next = now() < until ? this.#next() : undefined)
      if (!this.#tryVisit(next)) {
        // After all others; the walk is not complete without it.
        this.#packages.unshift(next);
        this.#plan(RETRY_MS);
        return;
      }
    this.#isDone = this.#queue.length + this.#packages.length === 0;
    if (this.#isDone) {
      this.#wasDone = true;
      this.#completedSince = this.#begunAt;
      this.#release(({ after }) => after < this.#begunAt);
    }
    const isAwaited = this.#waiters.length > 0;
    this.#plan(isAwaited ? 0 : this.#isDone ? WALK_EVERY_MS : SLICE_MS);
  }

  #tryVisit(folder: string): boolean {
    try {
      for (const path of this.#options.visit(folder)) (PACKAGES.test(path) ? this.#packages : this.#queue).push(path);
      return true;
    } catch (error) {
      if (error instanceof Errno) return false;
      throw error;
    }
  }

  #next(): string | undefined {
    return this.#queue.pop() ?? this.#packages.pop();
  }

  #plan(ms: number): void {
    // A walk that a request waits for begins when it can be of use.
    const earliest = this.#isDone ? Math.max(0, ...this.#waiters.map(({ after }) => after + 1 - Date.now())) : 0;
    clearTimeout(this.#timer);
    if (this.#isDisposed) {
      this.#release(() => true);
      return;
    }
    this.#timer = setTimeout(
      () => {
        if (this.#isDone) this.#begin();
        this.#slice(SLICE_MS);
      },
      Math.max(ms, earliest),
    ).unref();
  }

  #begin(): void {
    this.#isDone = false;
    this.#begunAt = Date.now();
    for (const path of this.#options.known()) (PACKAGES.test(path) ? this.#packages : this.#queue).push(path);
    // Above all others, also when nothing is known of it any more.
    this.#queue.push('');
  }

  #release(isDone: (waiter: Waiter) => boolean): void {
    const released = this.#waiters.filter(isDone);
    this.#waiters = this.#waiters.filter((one) => !released.includes(one));
    for (const { resolve } of released) resolve();
  }
}
