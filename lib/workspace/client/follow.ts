/** Keeps the rules of served folders current with what is outside of them. */
import type { Log } from '../../log.ts';
import type { ServedFolder } from './served-folders.ts';

/** Puts the rules of these folders in force; they are the same folders as before. */
type Apply = (folders: ServedFolder[]) => Promise<void>;

/** Begins to follow. What it returns MUST NOT apply anything after its disposal has ended. `apply` never rejects. */
export type Follow = (folders: ServedFolder[], apply: Apply) => AsyncDisposable;

interface FollowedOptions {
  log: Log;
  /** Default: nothing is followed */
  follow?: Follow;
}

/** By link id of the guest */
export class Followed implements AsyncDisposable {
  readonly #options: FollowedOptions;
  readonly #byLink = new Map<string, AsyncDisposable>();

  constructor(options: FollowedOptions) {
    this.#options = options;
  }

  /** `stop` MUST have been called for what was followed before: it has other rules. */
  start(link: string, folders: ServedFolder[], apply: Apply): void {
    const { follow, log } = this.#options;
    if (follow === undefined) return;
    const safely: Apply = (changed) =>
      apply(changed).catch((error: unknown) => log.error('changed rules of a workspace are not in force', error));
    this.#byLink.set(link, follow(folders, safely));
  }

  async stop(link: string): Promise<void> {
    const followed = this.#byLink.get(link);
    this.#byLink.delete(link);
    await followed?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#byLink.keys()].map((link) => this.stop(link)));
  }
}
