/** Walks that were made a moment ago: a path costs its last name when its folder was asked about. */
import type { WorkspacePolicy } from '../policy/compile.ts';
import { isName } from '../policy/decide.ts';
import type { Walk } from '../policy/findings.ts';
import type { EntryKind, WorkspaceFacts } from '../policy/types.ts';
import { startWalk, walkTo } from '../policy/walk.ts';

/** Most walks that are kept */
const WALKS_MAX = 4096;

/** As good as its facts: MUST be given up when something was created, removed or renamed. */
export class WalkMemo {
  readonly #policy: WorkspacePolicy;
  readonly #facts: WorkspaceFacts;
  readonly #walks = new Map<string, Walk | undefined>();

  constructor(policy: WorkspacePolicy, facts: WorkspaceFacts) {
    this.#policy = policy;
    this.#facts = facts;
  }

  /** As `walkPath` */
  at(path: string, kind: EntryKind | undefined): Walk | undefined {
    const key = `${kind ?? ''}/${path}`;
    if (this.#walks.has(key)) return this.#walks.get(key);
    const walk = path === '' ? startWalk(this.#policy, this.#facts) : this.#next(path, kind);
    if (this.#walks.size >= WALKS_MAX) this.#walks.clear();
    this.#walks.set(key, walk);
    return walk;
  }

  #next(path: string, kind: EntryKind | undefined): Walk | undefined {
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    if (slash === 0 || !isName(name)) return undefined;
    const above = this.at(path.slice(0, Math.max(0, slash)), 'folder');
    if (above === undefined) return undefined;
    return walkTo(this.#policy, { above, name, kind: kind ?? this.#facts.entry(path), facts: this.#facts });
  }
}
