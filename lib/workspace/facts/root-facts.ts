/** What a policy asks about one root besides its entries: repositories, links, and hard links of what is protected. */
import type { WorkspacePolicy } from '../policy/compile.ts';
import type { WorkspaceDecision, WorkspaceFacts } from '../policy/types.ts';
import { withOwnerRights } from '../server/sys/owner-rights.ts';
import { Aliases } from './aliases.ts';
import { changedPaths, type FactIndexes, indexFacts, namesSomething, textOf } from './fact-indexes.ts';
import { type FolderFacts, readFolderFacts } from './folder-facts.ts';
import { HostTree } from './host-tree.ts';
import { LinkCounts, type LinkedFile } from './link-counts.ts';
import { isCurrent } from './repository.ts';
import { TreeWalk } from './tree-walk.ts';

export interface RootFactsOptions {
  /** Descriptor of the root */
  fd: number;
  /** Its absolute path on the host */
  hostPath: string;
  policy: WorkspacePolicy;
  /** What the host's git configuration outside of the root names */
  named: string[];
  /** Milliseconds of a monotonic clock */
  now?: () => number;
}

interface Known extends FolderFacts {
  /** When it is looked at again */
  dueAt: number;
  /** Empty: other facts may have changed what its names mean */
  stamp: string;
}

type Facts = FactIndexes & Required<Pick<WorkspaceFacts, 'gitBelow'>>;

/** For so long the host's changes may go unseen; in a folder that takes long to read for COST_FACTOR times as long as that */
const FRESH_MS = 100;
const COST_FACTOR = 10;
/** Repositories off the path that are compared at a time, in turn */
const REPOSITORIES_AT_ONCE = 16;
/** Folders that are read again at once when other facts change; the rest by the walk */
const AGAIN_MAX = 200;

export class RootFacts implements Disposable {
  readonly #options: Required<RootFactsOptions>;
  readonly #host: HostTree;
  readonly #folders = new Map<string, Known>();
  /** Folders that make an index what it is */
  readonly #naming = new Set<string>();
  readonly #aliases = new Aliases();
  #facts: Facts;
  #repositoriesAt = Number.NEGATIVE_INFINITY;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #lookedFor = '';
  readonly #walk: TreeWalk;
  readonly #links: LinkCounts;

  constructor(options: RootFactsOptions) {
    const { now = () => performance.now() } = options;
    this.#options = { ...options, now };
    this.#host = new HostTree(options.fd, options.hostPath);
    this.#facts = this.#withIndexes();
    this.#walk = new TreeWalk({ visit: (path) => this.#visit(path), known: () => this.#folders.keys(), now });
    this.#links = new LinkCounts(this.#walk);
    this.#walk.start();
  }

  [Symbol.dispose](): void {
    this.#walk[Symbol.dispose]();
  }

  /** For decisions about a path; the same object as long as it says the same. */
  factsFor(path: string): Facts {
    this.#look(path.slice(0, Math.max(0, path.lastIndexOf('/'))));
    return this.#facts;
  }

  /** The strictest decision on a protected name of the file with this identity */
  aliasOf(identity: string): WorkspaceDecision | undefined {
    return this.#aliases.of(identity);
  }

  /** The host's git configuration outside of the root names these paths now. */
  setNamed(named: string[]): void {
    this.#options.named = named;
    this.#indexAgain();
  }

  /** Undefined: every name of the file in this root was compared with the rules. Otherwise it resolves when they were. */
  pending(file: LinkedFile): Promise<void> | undefined {
    return this.#links.pending(file);
  }

  /** Undefined: what the host's programs run is known for the whole root. Otherwise it resolves when it is. */
  walked(): Promise<void> | undefined {
    return this.#walk.firstEnd();
  }

  /** The guest gives a file, which is as `before`, one more name. */
  linked(before: LinkedFile): void {
    this.#links.linked(before);
  }

  /** Looks at the folders on the way to one, unless that was done a moment ago. */
  #look(folder: string): void {
    const now = this.#options.now();
    if (this.#lookedFor === folder && now - this.#lookedAt <= FRESH_MS) return;
    if (now - this.#repositoriesAt > FRESH_MS) this.#checkRepositories(now);
    const names = folder === '' ? [] : folder.split('/');
    for (let length = 0; length <= names.length; length += 1) {
      const path = names.slice(0, length).join('/');
      const known = this.#folders.get(path);
      if (known === undefined || now > known.dueAt) this.#check(path, now);
    }
    this.#lookedFor = folder;
    this.#lookedAt = now;
  }

  /** What the host's git reads for one repository can name paths anywhere. */
  #checkRepositories(now: number): void {
    this.#repositoriesAt = now;
    const due = [...this.#naming].slice(0, REPOSITORIES_AT_ONCE);
    for (const path of due) {
      // The first in the set becomes the last.
      this.#naming.delete(path);
      this.#naming.add(path);
      this.#check(path, now);
    }
  }

  #gitBelow(folder: string): boolean {
    const { fold } = this.#options.policy;
    const start = `${fold(folder)}/`;
    for (const [path, { hasGit, isGitFolder }] of this.#folders)
      if ((hasGit || isGitFolder) && fold(path).startsWith(start)) return true;
    return this.#walk.completedSince === undefined;
  }

  #visit(path: string): string[] {
    const before = this.#folders.get(path)?.folders ?? [];
    this.#check(path, this.#options.now());
    const after = this.#folders.get(path)?.folders ?? [];
    if (after === before) return [];
    return after.filter((one) => !this.#folders.has(one));
  }

  /** With the owner's rights: root inside has them, too. */
  #check(path: string, now: number): void {
    withOwnerRights(() => this.#compare(path, now));
  }

  #compare(path: string, now: number): void {
    const known = this.#folders.get(path);
    const isFolder = this.#host.inFolder(path, (folder) => {
      const isSame = known !== undefined && known.stamp === folder.stamp;
      if (isSame && (known.repository === undefined || isCurrent(this.#host, known.repository))) {
        known.dueAt = now + FRESH_MS;
        return true;
      }
      const { policy } = this.#options;
      const facts = readFolderFacts({ policy, host: this.#host, path, folder, facts: this.#facts });
      const cost = this.#options.now() - now;
      this.#replace(path, known, {
        ...facts,
        dueAt: now + Math.max(FRESH_MS, cost * COST_FACTOR),
        stamp: folder.stamp,
      });
      return true;
    });
    if (isFolder === undefined && known !== undefined) this.#replace(path, known, undefined);
  }

  #replace(path: string, before: Known | undefined, after: Known | undefined): void {
    this.#aliases.replace(path, after?.aliases ?? new Map());
    if (after === undefined) this.#folders.delete(path);
    else this.#folders.set(path, after);
    if (namesSomething(after)) this.#naming.add(path);
    else this.#naming.delete(path);
    const isOther = before?.isGitFolder !== after?.isGitFolder || before?.hasGit !== after?.hasGit;
    // Nothing below a folder is known before the folder is.
    if (before !== undefined && isOther) this.#readAgain((one) => one.startsWith(path === '' ? '' : `${path}/`));
    if (textOf(before) !== textOf(after)) this.#indexAgain();
  }

  #indexAgain(): void {
    const old = this.#facts;
    this.#facts = this.#withIndexes();
    const changed = changedPaths(old, this.#facts);
    const { fold } = this.#options.policy;
    // The folder that holds a changed name, too: there the other names of its file are found.
    const holders = new Set(changed.map((path) => path.slice(0, Math.max(0, path.lastIndexOf('/')))));
    const isStale = (one: string) => holders.has(one) || changed.some((top) => `${one}/`.startsWith(`${top}/`));
    if (changed.length > 0) this.#readAgain((one) => isStale(fold(one)));
  }

  /** Names in these folders mean something else now. */
  #readAgain(isStale: (path: string) => boolean): void {
    const stale = [...this.#folders.keys()].filter(isStale);
    for (const path of stale) {
      const known = this.#folders.get(path);
      if (known !== undefined) known.stamp = '';
    }
    for (const path of stale.slice(0, AGAIN_MAX)) this.#check(path, this.#options.now());
    this.#walk.add(stale.slice(AGAIN_MAX));
  }

  #withIndexes(): Facts {
    const { named, policy } = this.#options;
    const folders = [...this.#naming].flatMap((path) => this.#folders.get(path) ?? []);
    return { ...indexFacts(folders, { named, fold: policy.fold }), gitBelow: (path) => this.#gitBelow(path) };
  }
}
