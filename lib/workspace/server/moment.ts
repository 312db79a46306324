/** Decisions on a root within one moment: what was asked of the host is not asked again. */
import type { Layer } from '../layer/layer.ts';
import type { WorkspacePolicy } from '../policy/compile.ts';
import { decideWalk } from '../policy/decide.ts';
import type { EntryKind, WorkspaceDecision, WorkspaceFacts, WorkspaceOperation } from '../policy/types.ts';
import { entriesOf, HostEntries } from './host-entries.ts';
import type { Root } from './tables/volume.ts';
import { WalkMemo } from './walk-memo.ts';

/** One for each root, and none while a request changes names: what it asks for is true only until the change is made. */
export class Moments {
  readonly #byRoot = new Map<Root, Moment>();
  #isChanging = false;

  /** Until the next request nothing is kept. */
  startChange(): void {
    this.#isChanging = true;
  }

  endChange(): void {
    if (!this.#isChanging) return;
    this.#isChanging = false;
    for (const moment of this.#byRoot.values()) moment[Symbol.dispose]();
    this.#byRoot.clear();
  }

  get(now: MomentOptions): Moment {
    const known = this.#byRoot.get(now.root);
    if (!this.#isChanging && known?.isFor(now) === true) return known;
    known?.[Symbol.dispose]();
    const moment = new Moment(now);
    this.#byRoot.set(now.root, moment);
    return moment;
  }
}

/** For so long the host's changes may go unseen */
const MOMENT_MS = 100;

interface MomentOptions {
  root: Root;
  policy: WorkspacePolicy;
  facts: Omit<WorkspaceFacts, 'entry' | 'layer'>;
  layer: Layer | undefined;
}

export class Moment implements Disposable {
  readonly #options: MomentOptions;
  readonly #entries: HostEntries;
  readonly #memo: WalkMemo;
  readonly #until = performance.now() + MOMENT_MS;
  readonly #timer: NodeJS.Timeout;
  #isOver = false;

  constructor(options: MomentOptions) {
    const { root, policy, facts, layer } = options;
    this.#options = options;
    this.#entries = new HostEntries(root);
    this.#memo = new WalkMemo(policy, { ...facts, ...entriesOf(this.#entries, layer) });
    this.#timer = setTimeout(() => this[Symbol.dispose](), MOMENT_MS).unref();
  }

  /** True while it answers as a new one would, but for what the host has just changed. */
  isFor({ root, policy, facts }: MomentOptions): boolean {
    const own = this.#options;
    if (this.#isOver) return false;
    return own.root === root && own.policy === policy && own.facts === facts && performance.now() < this.#until;
  }

  decide(path: string, kind: EntryKind | undefined, operation: WorkspaceOperation): WorkspaceDecision {
    return decideWalk(this.#memo.at(path, kind), operation);
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#entries[Symbol.dispose]();
  }
}
