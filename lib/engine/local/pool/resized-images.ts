/**
 * Builds warm snapshots, in the background, for sandboxes that differ from the one they were created from: for packages that were installed
 * since, and for another size where pooled clones are asked for. In memory only: the store finds what was built again.
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

interface BuiltImage {
  image: WarmImage;
  packages: SandboxSpec['packages'];
}

/** After a failure, before the next try */
const BACKOFF_MS = 10 * 60_000;

export class ResizedImages implements AsyncDisposable {
  readonly #deps: ResizedImagesDeps;
  readonly #images = new Map<string, BuiltImage>();
  readonly #ending = new AbortController();
  #building: Promise<void> | undefined;
  /** Milliseconds since the epoch */
  #notBefore = 0;

  constructor(deps: ResizedImagesDeps) {
    this.#deps = deps;
  }

  /** The record with the image that a new clone of its applied spec starts from, if that is known. */
  withImage(record: InstanceRecord): InstanceRecord {
    const built = isBehind(record) ? this.#images.get(record.id) : undefined;
    if (built === undefined || !isDeepStrictEqual(built.image.size, record.applied?.resources)) return record;
    if (!isDeepStrictEqual(built.packages, record.applied?.packages)) return record;
    return { ...record, image: built.image, imageLacksPackages: false };
  }

  /** Layers that must be kept */
  get layers(): WarmImage['chain'] {
    return [...this.#images.values()].flatMap(({ image }) => image.chain);
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
    const missing = () => records().find((one) => wantsImage(one) && isBehind(this.withImage(one)));
    try {
      for (let next = missing(); next?.applied && !signal.aborted; next = missing())
        this.#images.set(next.id, {
          image: await this.#deps.build(next.applied, signal),
          packages: next.applied.packages,
        });
    } catch (error) {
      this.#notBefore = Date.now() + BACKOFF_MS;
      if (!signal.aborted) this.#deps.log.warn(`warm snapshot for new clones: ${summaryOf(error)}`);
    }
  }
}

/** A reset or a new sandbox with these packages comes sooner or later; another size alone is a matter of seconds. */
function wantsImage({ applied, image, desired, imageLacksPackages }: InstanceRecord): boolean {
  if (applied === null || image === null || desired.power !== 'on') return false;
  return imageLacksPackages === true || applied.lifecycle.pool > 0;
}

function isBehind(record: InstanceRecord): boolean {
  return record.imageLacksPackages === true || hasOtherSize(record);
}

function hasOtherSize({ applied, image }: InstanceRecord): boolean {
  return applied !== null && image?.size !== undefined && !isDeepStrictEqual(image.size, applied.resources);
}
