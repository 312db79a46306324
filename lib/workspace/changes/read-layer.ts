/** Lists what a private layer holds, from its folder on the host, and changes nothing there. The guest chose its names, contents and modes. */
import type { Stats } from 'node:fs';
import type { Folder } from '../../guest/copy/folder.ts';
import { folderMarks, isRecord } from '../layer/record.ts';
import { readRecord } from './sides.ts';

export interface PrivateChange {
  /** From the root of the folder that the layer is about */
  path: string;
  kind: 'file' | 'folder' | 'link' | 'special' | 'removed';
  /** Of a folder that is listed as one: with all below it. In bytes */
  size: number;
  /** Files below such a folder; 1 for a file */
  files: number;
}

export interface LayerContent {
  changes: PrivateChange[];
  /** There is more than was read */
  isPartial: boolean;
}

export interface ReadOptions {
  /** Folders of which the content is not listed: whole repositories, and what `[workspace] private` names */
  isWhole: (path: string) => boolean;
  /** Folders that are left out, with all below them; default: none */
  isLeftOut?: (path: string) => boolean;
  /** To count up to a bound: most entries that are looked at, those of whole folders among them */
  countMax?: number;
}

/** Each level is an open descriptor */
const DEPTH_MAX = 200;
const ENTRIES_MAX = 50_000;

/** Parents come before what they hold. Folders that only lead further are left out. */
export async function readLayer(tree: Folder, options: ReadOptions): Promise<LayerContent> {
  const reader = new Reader(options);
  await reader.list(tree, '', 0);
  return { changes: reader.changes, isPartial: reader.isPartial };
}

interface Place {
  folder: Folder;
  name: string;
  path: string;
  depth: number;
}

class Reader {
  readonly changes: PrivateChange[] = [];
  isPartial = false;
  readonly #budget: { left: number };
  readonly #options: ReadOptions;

  constructor(options: ReadOptions) {
    this.#options = options;
    this.#budget = { left: options.countMax ?? ENTRIES_MAX };
  }

  async list(folder: Folder, path: string, depth: number): Promise<void> {
    const onMissed = () => {
      this.isPartial = true;
    };
    for await (const { name, found } of entriesOf(folder, { depth, budget: this.#budget, onMissed })) {
      const place = { folder, name, path: path === '' ? name : `${path}/${name}`, depth };
      if (found.isDirectory()) await this.#addFolder(place, found);
      else await this.#addOne(place, found);
    }
  }

  async #addFolder(place: Place, found: Stats): Promise<void> {
    const { isLeftOut, isWhole, countMax } = this.#options;
    if (isLeftOut?.(place.path) === true) return;
    await using below = await this.#enter(place);
    if (below === undefined) return;
    const { path, depth } = place;
    const { isContainer } = folderMarks(found);
    if (!isContainer && isWhole(path)) {
      const budget = countMax === undefined ? { left: ENTRIES_MAX } : this.#budget;
      const { size, files } = await this.#sum(below, depth + 1, budget);
      if (budget === this.#budget && budget.left < 0) this.isPartial = true;
      this.changes.push({ path, kind: 'folder', size, files });
      return;
    }
    if (!isContainer) this.#add(path, 'folder', 0);
    await this.list(below, path, depth + 1);
  }

  async #addOne(place: Place, found: Stats): Promise<void> {
    const kind = await kindOf(place, found).catch(() => undefined);
    if (kind === undefined) this.isPartial = true;
    else this.#add(place.path, kind, found.size);
  }

  /** Undefined: the guest removed it meanwhile, or made it unreadable. */
  async #enter({ folder, name }: Pick<Place, 'folder' | 'name'>): Promise<Folder | undefined> {
    const below = await folder.enter(name).catch(() => undefined);
    if (below === undefined) this.isPartial = true;
    return below;
  }

  /** At least; what is in there is not listed, so it is no reason to call the list partial. */
  async #sum(folder: Folder, depth: number, budget: { left: number }): Promise<{ size: number; files: number }> {
    const all = { size: 0, files: 0 };
    for await (const { name, found } of entriesOf(folder, { depth, budget, onMissed: () => {} })) {
      if (!found.isDirectory()) {
        all.size += found.size;
        all.files += 1;
        continue;
      }
      await using below = await folder.enter(name).catch(() => undefined);
      if (below === undefined) continue;
      const { size, files } = await this.#sum(below, depth + 1, budget);
      all.size += size;
      all.files += files;
    }
    return all;
  }

  #add(path: string, kind: PrivateChange['kind'], size: number): void {
    this.changes.push({ path, kind, size: kind === 'file' ? size : 0, files: kind === 'file' ? 1 : 0 });
  }
}

interface Entries {
  depth: number;
  /** Entries that may still be looked at */
  budget: { left: number };
  onMissed: () => void;
}

/** What the guest made unreadable, or removes meanwhile, is left out. */
async function* entriesOf(
  folder: Folder,
  { depth, budget, onMissed }: Entries,
): AsyncGenerator<{ name: string; found: Stats }> {
  const names = depth > DEPTH_MAX ? undefined : await folder.list().catch(() => undefined);
  if (names === undefined) return onMissed();
  for (const bytes of names.toSorted(Buffer.compare)) {
    budget.left -= 1;
    if (budget.left < 0) return onMissed();
    const name = bytes.toString();
    const found = await folder.lstat(name).catch(() => undefined);
    if (found === undefined) onMissed();
    else yield { name, found };
  }
}

async function kindOf({ folder, name }: Place, found: Stats): Promise<PrivateChange['kind']> {
  if (found.isSymbolicLink()) return 'link';
  if (!found.isFile()) return 'special';
  if (!isRecord(found)) return 'file';
  return (await readRecord(folder, name)).is === 'special' ? 'special' : 'removed';
}
