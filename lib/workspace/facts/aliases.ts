/** Files with a name that is hidden or protected, by identity: what holds for one name holds for all of them. */
import { strictest } from '../policy/decide.ts';
import type { WorkspaceDecision } from '../policy/types.ts';

export class Aliases {
  /** By identity, then by the folder of the name: each folder takes back only what it said itself */
  readonly #all = new Map<string, Map<string, WorkspaceDecision>>();
  readonly #byFolder = new Map<string, readonly string[]>();

  /** The strictest decision on a name of the file; undefined: none is protected */
  of(identity: string): WorkspaceDecision | undefined {
    const found = this.#all.get(identity);
    return found === undefined ? undefined : strictest([...found.values()]);
  }

  /** @param found decisions on the protected names in a folder, by identity; replaces those of before */
  replace(folder: string, found: ReadonlyMap<string, WorkspaceDecision>): void {
    for (const identity of this.#byFolder.get(folder) ?? []) if (!found.has(identity)) this.#remove(identity, folder);
    for (const [identity, decision] of found) {
      const known = this.#all.get(identity) ?? new Map<string, WorkspaceDecision>();
      this.#all.set(identity, known.set(folder, decision));
    }
    if (found.size === 0) this.#byFolder.delete(folder);
    else this.#byFolder.set(folder, [...found.keys()]);
  }

  #remove(identity: string, folder: string): void {
    const known = this.#all.get(identity);
    known?.delete(folder);
    if (known?.size === 0) this.#all.delete(identity);
  }
}
