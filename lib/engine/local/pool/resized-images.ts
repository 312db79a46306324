/**
 * Builds warm snapshots, in the background, for sandboxes that ask for pooled clones and whose size has changed since they were created. In
 * memory only: the store finds what was built again.
 */
import { isDeepStrictEqual } from 'node:util';
import { SbxError, summaryOf } from '../../../errors.ts';
import type { WarmImage } from '../../../image/warm/warm-image.ts';
import type { Log } from '../../../log.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';
import type { InstanceRecord } from '../../../state/records.ts';

export interface ResizedImagesDeps {
  build: (spec: SandboxSpec, signal: AbortSignal) => Promise<WarmImage>;
  log: Pick<Log, 'warn'>;
}

/** After a failure, before the next try */
const BACKOFF_MS = 10 * 60_000;

export class ResizedImages implements AsyncDisposable {
  readonly #deps: ResizedImagesDeps;
  readonly #images = new Map<string, WarmImage>();
  readonly #ending = new AbortController();
  #building: Promise<void> | undefined;
  /** Milliseconds since the epoch */
  #notBefore = 0;

  constructor(deps: ResizedImagesDeps) {
    this.#deps = deps;
  }

  /** The record with the image that a new clone of its applied spec starts from, if that is known. */
  withImage(record: InstanceRecord): InstanceRecord {
    const image = hasOtherSize(record) ? this.#images.get(record.id) : undefined;
    return image !== undefined && isDeepStrictEqual(image.size, record.applied?.resources)
      ? { ...record, image }
      : record;
  }

  /** Layers that must be kept */
  get layers(): WarmImage['chain'] {
    return [...this.#images.values()].flatMap(({ chain }) => chain);
  }

  /** One after the other. Resolves when all that is missing was built, or one has failed. */
  async fill(records: () => InstanceRecord[]): Promise<void> {
    if (this.#ending.signal.aborted || Date.now() < this.#notBefore) return;
    this.#building ??= this.#fill(records).finally(() => {
      this.#building = undefined;
    });
    await this.#building;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort(new SbxError('cancelled', 'the daemon is ending'));
    await this.#building;
  }

  async #fill(records: () => InstanceRecord[]): Promise<void> {
    const { signal } = this.#ending;
    const missing = () => records().find((one) => wantsClones(one) && hasOtherSize(this.withImage(one)));
    try {
      for (let next = missing(); next?.applied && !signal.aborted; next = missing())
        this.#images.set(next.id, await this.#deps.build(next.applied, signal));
    } catch (error) {
      this.#notBefore = Date.now() + BACKOFF_MS;
      if (!signal.aborted) this.#deps.log.warn(`warm snapshot of another size: ${summaryOf(error)}`);
    }
  }
}

function wantsClones({ applied, image, desired }: InstanceRecord): boolean {
  return applied !== null && image !== null && desired.power === 'on' && applied.lifecycle.pool > 0;
}

function hasOtherSize({ applied, image }: InstanceRecord): boolean {
  return applied !== null && image?.size !== undefined && !isDeepStrictEqual(image.size, applied.resources);
}
