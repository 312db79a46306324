/** What a policy asks about one root besides its entries: repositories, links, and hard links of what is protected. */
import type { WorkspacePolicy } from '../policy/compile.ts';
import { decideAt, strictest, walkPath } from '../policy/decide.ts';
import { indexPaths } from '../policy/path-index.ts';
import type { EntryKind, PathIndex, WorkspaceDecision, WorkspaceFacts } from '../policy/types.ts';
import { walkTo } from '../policy/walk.ts';
import { type Entry, type Folder, HostTree } from './host-tree.ts';
import { isCurrent, joined, type RepositoryFacts, repositoryFacts } from './repository.ts';

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

/** What was found in one folder */
interface FolderFacts {
  checkedAt: number;
  stamp: string;
  repository: RepositoryFacts | undefined;
  isGitFolder: boolean;
  hasGit: boolean;
  hiddenTargets: string[];
  named: string[];
  /** Identities of protected files that lie in it */
  identities: string[];
}

/** For so long the host's changes may go unseen */
const FRESH_MS = 100;
/** At the start, before anything is served */
const FIRST_MS = 50;
/** Of each slice of the walk, and the pause after it */
const SLICE_MS = 8;
/** Between two walks: what they find besides the folders that the guest uses */
const WALK_EVERY_MS = 30_000;

export class RootFacts implements Disposable {
  readonly #options: Required<RootFactsOptions>;
  readonly #host: HostTree;
  readonly #folders = new Map<string, FolderFacts>();
  /** By device, inode and birth time */
  readonly #aliases = new Map<string, WorkspaceDecision>();
  #indexes: { named: PathIndex; pointers: PathIndex; hiddenTargets: PathIndex } | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Folders that the walk has still to look at */
  readonly #queue: string[] = [''];
  #isComplete = false;
  #disposed = false;

  constructor(options: RootFactsOptions) {
    this.#options = { now: () => performance.now(), ...options };
    this.#host = new HostTree(options.fd, options.hostPath);
    this.#walk(FIRST_MS);
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    clearTimeout(this.#timer);
  }

  /** For one decision about a path, of a file with this identity. */
  factsFor(path: string, identity: string | undefined): Omit<WorkspaceFacts, 'entry'> {
    this.#look(path);
    const alias = identity === undefined ? undefined : this.#aliases.get(identity);
    return { ...this.#index(), gitBelow: (one) => this.#gitBelow(one), ...(alias === undefined ? {} : { alias }) };
  }

  /** Looks at the folders on the way to a path, unless that was done a moment ago. */
  #look(path: string): void {
    const now = this.#options.now();
    for (let end = path.lastIndexOf('/'); end >= -1; end = end <= 0 ? -2 : path.lastIndexOf('/', end - 1)) {
      const folder = path.slice(0, Math.max(0, end));
      const known = this.#folders.get(folder);
      if (known === undefined || now - known.checkedAt > FRESH_MS) this.#check(folder, now);
      if (end === -1) break;
    }
  }

  #gitBelow(folder: string): boolean {
    for (const [path, { hasGit, isGitFolder }] of this.#folders)
      if ((hasGit || isGitFolder) && path.startsWith(`${folder}/`)) return true;
    return !this.#isComplete;
  }

  #index() {
    if (this.#indexes !== undefined) return this.#indexes;
    const { fold } = this.#options.policy;
    const all = [...this.#folders.values()];
    const of = (list: (one: FolderFacts) => string[]) => all.flatMap(list);
    this.#indexes = {
      named: indexPaths(
        [...this.#options.named, ...of((one) => [...one.named, ...(one.repository?.named ?? [])])],
        fold,
      ),
      pointers: indexPaths(
        of((one) => one.repository?.pointers ?? []),
        fold,
      ),
      hiddenTargets: indexPaths(
        of((one) => one.hiddenTargets),
        fold,
      ),
    };
    return this.#indexes;
  }

  /** @returns the folders below, where they were listed */
  #check(path: string, now: number): string[] {
    const known = this.#folders.get(path);
    const found = this.#host.inFolder(path, (folder) => {
      const isSame = known?.stamp === folder.stamp;
      if (isSame && (known.repository === undefined || isCurrent(this.#host, known.repository))) {
        known.checkedAt = now;
        return [];
      }
      const entries = folder.entries();
      const facts = this.#read(path, folder, entries);
      this.#replace(path, { ...facts, checkedAt: now, stamp: folder.stamp });
      return entries.filter(({ kind }) => kind === 'folder').map(({ name }) => joined(path, name));
    });
    if (found === undefined) this.#replace(path, undefined);
    return found ?? [];
  }

  #read(path: string, folder: Folder, entries: Entry[]): Omit<FolderFacts, 'checkedAt' | 'stamp'> {
    const names = new Set(entries.map(({ name }) => name));
    const hasGit = names.has('.git');
    const isGitFolder = names.has('HEAD') && (names.has('commondir') || (names.has('objects') && names.has('refs')));
    const found = {
      hasGit,
      isGitFolder,
      hiddenTargets: [] as string[],
      named: [] as string[],
      identities: [] as string[],
    };
    const protection = this.#protectionIn(path, entries);
    for (const { name, kind } of entries) {
      const decision = kind === 'folder' ? undefined : protection(name, kind);
      if (decision === undefined || decision.verdict === 'pass') continue;
      if (kind === 'link') {
        const targets = this.#host.follow(joined(path, name)).slice(1);
        (decision.verdict === 'hidden' ? found.hiddenTargets : found.named).push(...targets);
      }
      const identity = folder.stat(name)?.identity;
      if (identity === undefined) continue;
      found.identities.push(identity);
      this.#aliases.set(identity, strictest([decision, this.#aliases.get(identity) ?? decision]));
    }
    // The git folder of a work tree is read with its tree, from which its paths count.
    const isBare = isGitFolder && !/(^|\/)\.git$/.test(path);
    const repository = hasGit || isBare ? repositoryFacts(this.#host, path, !hasGit) : undefined;
    return { ...found, repository };
  }

  /** For each name of a folder the stricter of what reading and writing get. */
  #protectionIn(folder: string, entries: Entry[]): (name: string, kind: EntryKind) => WorkspaceDecision | undefined {
    const { policy } = this.#options;
    const kinds = new Map<string, EntryKind | undefined>(entries.map(({ name, kind }) => [joined(folder, name), kind]));
    const entry = (path: string) => {
      if (!kinds.has(path)) kinds.set(path, this.#host.kindOf(path));
      return kinds.get(path);
    };
    const facts = { entry, ...this.#index() };
    const above = walkPath(policy, { path: folder, kind: 'folder', facts });
    return (name, kind) => {
      if (above === undefined) return undefined;
      const walk = walkTo(policy, { above, name, kind, facts });
      return strictest([decideAt(walk, 'read'), decideAt(walk, 'write')]);
    };
  }

  #replace(path: string, facts: FolderFacts | undefined): void {
    const known = this.#folders.get(path);
    const kept = new Set(facts?.identities);
    for (const identity of known?.identities ?? []) if (!kept.has(identity)) this.#aliases.delete(identity);
    if (facts === undefined) this.#folders.delete(path);
    else this.#folders.set(path, facts);
    if (namesSomething(known) || namesSomething(facts)) this.#indexes = undefined;
  }

  /** Looks at every folder, in slices; afterwards from time to time again. */
  #walk(sliceMs: number): void {
    if (this.#disposed) return;
    const { now } = this.#options;
    for (const until = now() + sliceMs; this.#queue.length > 0 && now() < until; )
      this.#queue.push(...this.#check(this.#queue.pop() ?? '', now()));
    const isDone = this.#queue.length === 0;
    if (isDone) this.#isComplete = true;
    this.#timer = setTimeout(
      () => {
        if (isDone) this.#queue.push(...this.#folders.keys());
        this.#walk(SLICE_MS);
      },
      isDone ? WALK_EVERY_MS : SLICE_MS,
    ).unref();
  }
}

function namesSomething(facts: FolderFacts | undefined): boolean {
  if (facts === undefined) return false;
  return facts.repository !== undefined || facts.named.length > 0 || facts.hiddenTargets.length > 0;
}
