/** Keeps the warm pool: as many idle clones as the applied sandboxes ask for. None outlives the daemon. */
import { SbxError, summaryOf } from '../../../errors.ts';
import type { Log } from '../../../log.ts';
import type { InstanceRecord } from '../../../state/records.ts';
import type { CloneRequest } from '../vm/resume-clone.ts';
import { type Demand, poolDemand, poolKeyOf, type Wanted } from './demand.ts';
import { newPooledId, type PooledClone } from './pooled-clone.ts';

export interface PoolDeps {
  /** Of every sandbox */
  records: () => InstanceRecord[];
  make: (request: CloneRequest) => Promise<PooledClone>;
  end: (id: string) => Promise<void>;
  isAlive: (clone: PooledClone) => boolean;
  log: Pick<Log, 'warn'>;
}

interface Member extends PooledClone {
  key: string;
}

/** After a failure, before the next try */
const BACKOFF_MS = 60_000;

export class Pool implements AsyncDisposable {
  readonly #deps: PoolDeps;
  readonly #members: Member[] = [];
  readonly #ending = new AbortController();
  #cloning: { key: string; abort: AbortController; done: Promise<void> } | undefined;
  #filling: Promise<void> | undefined;
  /** Milliseconds since the epoch */
  #notBefore = 0;

  constructor(deps: PoolDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#members.length;
  }

  /** A live clone that fits; it belongs to the caller from now on. */
  take(wanted: Wanted): PooledClone | undefined {
    if (this.size === 0) return undefined;
    const [found] = this.#fitting(poolKeyOf(wanted));
    if (found !== undefined) this.#members.splice(this.#members.indexOf(found), 1);
    return found;
  }

  /** How many live clones fit. */
  waiting(wanted: Wanted): number {
    return this.#fitting(poolKeyOf(wanted)).length;
  }

  /** Resolves when the clones without demand have ended. */
  async shrink(): Promise<void> {
    const cloning = this.#cloning;
    if (this.size === 0 && cloning === undefined) return;
    if (cloning !== undefined && !poolDemand(this.#deps.records()).has(cloning.key)) {
      cloning.abort.abort(new SbxError('cancelled', 'no sandbox asks for it any more'));
      await cloning.done;
    }
    const surplus = this.#surplus();
    for (const one of surplus) this.#members.splice(this.#members.indexOf(one), 1);
    await Promise.all(surplus.map(({ id }) => this.#deps.end(id)));
  }

  /** Shrinks, then makes what is missing, one clone after the other. */
  async fill(): Promise<void> {
    if (this.#ending.signal.aborted) return;
    this.#filling ??= this.#fill()
      .catch((error: unknown) => this.#deps.log.warn(`warm pool: ${summaryOf(error)}`))
      .finally(() => {
        this.#filling = undefined;
      });
    await this.#filling;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort(new SbxError('cancelled', 'the daemon is ending'));
    await this.#filling;
    await Promise.all(this.#members.splice(0).map(({ id }) => this.#deps.end(id)));
  }

  async #fill(): Promise<void> {
    await this.shrink();
    for (let next = this.#missing(); next !== undefined; next = this.#missing()) {
      if (this.#ending.signal.aborted || Date.now() < this.#notBefore) return;
      await this.#clone(...next);
    }
    // Demand may have dropped while cloning: trim again.
    await this.shrink();
  }

  #missing(): [string, Demand] | undefined {
    const has = (key: string) => this.#members.filter((one) => one.key === key).length;
    return [...poolDemand(this.#deps.records())].find(([key, { count }]) => has(key) < count);
  }

  async #clone(key: string, { spec, image, owner }: Demand): Promise<void> {
    const abort = new AbortController();
    const signal = AbortSignal.any([abort.signal, this.#ending.signal]);
    const done = this.#deps.make({ id: newPooledId(), owner, spec, image, signal }).then(
      (clone) => void this.#members.push({ ...clone, key }),
      (error: unknown) => {
        if (signal.aborted) return;
        this.#notBefore = Date.now() + BACKOFF_MS;
        this.#deps.log.warn(`warm pool: ${summaryOf(error)}`);
      },
    );
    this.#cloning = { key, abort, done };
    await done;
    this.#cloning = undefined;
  }

  #surplus(): Member[] {
    const demand = poolDemand(this.#deps.records());
    const kept = new Map<string, number>();
    return this.#members.filter((one) => {
      const before = kept.get(one.key) ?? 0;
      const keep = before < (demand.get(one.key)?.count ?? 0) && this.#deps.isAlive(one);
      if (keep) kept.set(one.key, before + 1);
      return !keep;
    });
  }

  #fitting(key: string): Member[] {
    return this.#members.filter((one) => one.key === key && this.#deps.isAlive(one));
  }
}
