/** Knows of which files with several names all names were compared with the rules. */
import type { Stat } from '../server/sys/stat.ts';
import type { TreeWalk } from './tree-walk.ts';

export type LinkedFile = Pick<Stat, 'identity' | 'nlink' | 'ctime'>;

/** A file's time of change lags behind the clock by less than this, in milliseconds */
const CLOCK_MS = 50;
const KNOWN_MAX = 200_000;

/** A new name changes a file's `ctime`, which no program can set: a walk that began later has seen the name, if it is in the root. */
export class LinkCounts {
  readonly #walk: TreeWalk;
  /** How many names were accounted for, by identity */
  readonly #known = new Map<string, number>();

  constructor(walk: TreeWalk) {
    this.#walk = walk;
  }

  /** Undefined: all names are known. Otherwise it resolves when they are. */
  pending(file: LinkedFile): Promise<void> | undefined {
    if (file.nlink < 2 || this.#isKnown(file)) return undefined;
    // A clock that was set back would never reach the time of a change.
    const after = Math.min(msOf(file), Date.now()) + CLOCK_MS;
    return this.#walk.completedAfter(after).then(() => this.#remember(file.identity, file.nlink));
  }

  /** The guest gave the file, which was as `before`, one more name: that name was decided about. */
  linked(before: LinkedFile): void {
    if (before.nlink === 1 || this.#isKnown(before)) this.#remember(before.identity, before.nlink + 1);
  }

  #isKnown(file: LinkedFile): boolean {
    if (file.nlink <= (this.#known.get(file.identity) ?? 0)) return true;
    const since = this.#walk.completedSince;
    if (since === undefined || msOf(file) + CLOCK_MS >= since) return false;
    this.#remember(file.identity, file.nlink);
    return true;
  }

  #remember(identity: string, count: number): void {
    if (this.#known.size >= KNOWN_MAX) this.#known.clear();
    this.#known.set(identity, count);
  }
}

function msOf({ ctime }: LinkedFile): number {
  return ctime.seconds * 1000 + ctime.nanoseconds / 1e6;
}
