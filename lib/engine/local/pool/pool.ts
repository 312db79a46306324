/** Clones that wait, as many as the applied sandboxes ask for: a fresh sandbox takes one where it fits. Nothing of it outlives the daemon. */

import { SbxError } from '../../../errors.ts';
import type { WarmImage } from '../../../image/warm/warm-image.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';
import type { InstanceRecord } from '../../../state/records.ts';
import type { CloneRequest } from '../vm/resume-clone.ts';
import { poolDemand, poolKeyOf, type Wanted } from './demand.ts';
import { newPooledId, type PooledClone } from './pooled-clone.ts';

export interface Pool extends AsyncDisposable {
  /** One that fits and lives: the caller's from now on */
  take(spec: SandboxSpec, image: WarmImage): PooledClone | undefined;
  /** Resolves when those are gone that nobody asks for any more */
  shrink(): Promise<void>;
  /** Shrinks, then makes what is missing, one after the other */
  tend(): Promise<void>;
  /** How many there are that fit */
  waiting(spec: SandboxSpec, image: WarmImage): number;
  readonly size: number;
}

export interface PoolDeps {
  /** Of every sandbox */
  records: () => InstanceRecord[];
  make: (request: CloneRequest) => Promise<PooledClone>;
  end: (id: string) => Promise<void>;
  isAlive: (clone: PooledClone) => boolean;
}

interface Member extends PooledClone {
  fit: string;
}

/** What failed is not tried again at once */
const PAUSE_MS = 60_000;

export function createPool({ records, make, end, isAlive }: PoolDeps): Pool {
  const members: Member[] = [];
  const ending = new AbortController();
  let making: { fit: string; given: AbortController; done: Promise<void> } | undefined;
  let tending: Promise<void> | undefined;
  let notBefore = 0;

  const missing = (): [string, Wanted] | undefined =>
    [...poolDemand(records())].find(([fit, { count }]) => members.filter((one) => one.fit === fit).length < count);

  const makeOne = async (fit: string, { spec, image }: Wanted) => {
    const given = new AbortController();
    const signal = AbortSignal.any([given.signal, ending.signal]);
    const work = make({ id: newPooledId(), spec, image, signal });
    const done = work.then(
      (clone) => void members.push({ ...clone, fit }),
      (error: unknown) => {
        if (signal.aborted) return;
        notBefore = Date.now() + PAUSE_MS;
        sayWhy(error);
      },
    );
    making = { fit, given, done };
    await done;
    making = undefined;
  };

  const shrink = async () => {
    if (members.length === 0 && making === undefined) return;
    if (making !== undefined && !poolDemand(records()).has(making.fit)) {
      making.given.abort(new SbxError('cancelled', 'nobody wants it any more'));
      await making.done;
    }
    const wanted = poolDemand(records());
    const kept = new Map<string, number>();
    const surplus = members.filter((one) => {
      const before = kept.get(one.fit) ?? 0;
      const keep = before < (wanted.get(one.fit)?.count ?? 0) && isAlive(one);
      if (keep) kept.set(one.fit, before + 1);
      return !keep;
    });
    for (const one of surplus) members.splice(members.indexOf(one), 1);
    await Promise.all(surplus.map(({ id }) => end(id)));
  };

  const fill = async () => {
    await shrink();
    for (let next = missing(); next !== undefined; next = missing()) {
      if (ending.signal.aborted || Date.now() < notBefore) return;
      await makeOne(...next);
    }
    // Nobody may want any more what was begun for somebody.
    await shrink();
  };

  const fitting = (fit: string) => members.filter((one) => one.fit === fit && isAlive(one));

  return {
    take(spec, image) {
      if (members.length === 0) return undefined;
      const [found] = fitting(poolKeyOf(spec, image));
      if (found !== undefined) members.splice(members.indexOf(found), 1);
      return found;
    },
    shrink,
    async tend() {
      if (ending.signal.aborted) return;
      tending ??= fill()
        .catch(sayWhy)
        .finally(() => {
          tending = undefined;
        });
      await tending;
    },
    waiting: (spec, image) => fitting(poolKeyOf(spec, image)).length,
    get size() {
      return members.length;
    },
    async [Symbol.asyncDispose]() {
      ending.abort(new SbxError('cancelled', 'the daemon is ending'));
      await tending;
      await Promise.all(members.splice(0).map(({ id }) => end(id)));
    },
  };
}

function sayWhy(error: unknown): void {
  const why = error instanceof SbxError && error.why !== undefined ? `: ${error.why}` : '';
  process.stderr.write(`the pool: ${error instanceof Error ? error.message : error}${why}\n`);
}
