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
import type { NewImage } from '../../engine.ts';

export interface ResizedImagesDeps {
  build: (
    spec: SandboxSpec,
    events: { signal: AbortSignal; onProgress: (message: string) => void },
  ) => Promise<WarmImage>;
  log: Pick<Log, 'warn'>;
}

interface BuiltImage {
  image: WarmImage;
  packages: SandboxSpec['packages'];
}

interface Failure {
  /** Of the spec that was built */
  applied: SandboxSpec;
  /** Milliseconds since the epoch */
  at: number;
  error: string;
}

/** After a failure, before the next try of the same */
const BACKOFF_MS = 10 * 60_000;

export class ResizedImages implements AsyncDisposable {
  readonly #deps: ResizedImagesDeps;
  readonly #images = new Map<string, BuiltImage>();
  readonly #ending = new AbortController();
  readonly #failures = new Map<string, Failure>();
  #filling: Promise<void> | undefined;
  #building: { id: string; since: string; doing: string } | undefined;

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

  /** What becomes of a sandbox's next image; undefined: none is missing. */
  stateOf(record: InstanceRecord): NewImage | undefined {
    if (!this.#isMissing(record)) return undefined;
    const reason = record.imageLacksPackages === true ? 'packages' : 'size';
    const building = this.#building?.id === record.id ? this.#building : undefined;
    if (building !== undefined) return { is: 'building', reason, since: building.since, doing: building.doing };
    const failure = this.#failureOf(record);
    if (failure === undefined) return { is: 'waiting', reason };
    return { is: 'failed', reason, since: new Date(failure.at).toISOString(), error: failure.error };
  }

  /** One after the other. Resolves when all that is missing was built, or has failed. */
  async fill(records: () => InstanceRecord[]): Promise<void> {
    if (this.#ending.signal.aborted) return;
    this.#filling ??= this.#fill(records).finally(() => {
      this.#filling = undefined;
    });
    await this.#filling;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort(new SbxError('cancelled', 'the daemon is ending'));
    await this.#filling;
  }

  async #fill(records: () => InstanceRecord[]): Promise<void> {
    const { signal } = this.#ending;
    const next = () => records().find((one) => this.#isMissing(one) && !this.#waitsForRetry(one));
    for (let one = next(); one?.applied && !signal.aborted; one = next()) await this.#build(one.id, one.applied);
    this.#building = undefined;
  }

  async #build(id: string, applied: SandboxSpec): Promise<void> {
    const { signal } = this.#ending;
    const building = { id, since: new Date().toISOString(), doing: '' };
    this.#building = building;
    const onProgress = (message: string) => {
      building.doing = message;
    };
    try {
      const image = await this.#deps.build(applied, { signal, onProgress });
      this.#images.set(id, { image, packages: applied.packages });
      this.#failures.delete(id);
    } catch (error) {
      if (signal.aborted) return;
      this.#failures.set(id, { applied, at: Date.now(), error: summaryOf(error) });
      this.#deps.log.warn(`warm snapshot for new clones: ${summaryOf(error)}`);
    }
  }

  #isMissing(record: InstanceRecord): boolean {
    return wantsImage(record) && isBehind(this.withImage(record));
  }

  #waitsForRetry(record: InstanceRecord): boolean {
    const failure = this.#failureOf(record);
    return failure !== undefined && Date.now() < failure.at + BACKOFF_MS;
  }

  /** Of these packages and this size; what was changed since is another image. */
  #failureOf({ id, applied }: InstanceRecord): Failure | undefined {
    const failure = this.#failures.get(id);
    const { packages, resources } = failure?.applied ?? {};
    const isSame = isDeepStrictEqual([packages, resources], [applied?.packages, applied?.resources]);
    return isSame ? failure : undefined;
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
