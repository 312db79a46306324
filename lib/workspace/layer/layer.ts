/** The private layer of one sandbox for one root: what the guest wrote where the host's files must not change. */
import { mkdirSync } from 'node:fs';
import { fail } from '../server/sys/errno.ts';
import { closeFd, statFd } from '../server/sys/files.ts';
import { AT_FDCWD, O_DIRECTORY, O_PATH, RENAME_EXCHANGE, RENAME_NOREPLACE } from '../server/sys/flags.ts';
import { linkFd, openAt, renameAt, statAt, unlinkAt } from '../server/sys/names.ts';
import type { Stat } from '../server/sys/stat.ts';
import { FolderFds } from './folder-fds.ts';
import {
  FILE,
  type FolderMarks,
  findItem,
  forgetBelow,
  type Item,
  isOwn,
  LayerFolder,
  type SpecialItem,
  WHITEOUT,
} from './items.ts';
import { loadItems } from './load.ts';
import { encodeSpecial, folderMode, meantStat } from './record.ts';
import { Usage, type UsageLimits } from './usage.ts';
import { WorkFolder } from './work-folder.ts';

export interface LayerOptions {
  /** Folder on the host, of this layer alone; made if it is missing */
  path: string;
  /** Defaults: 4 GiB and 500,000 entries */
  limits?: Partial<UsageLimits>;
}

const LIMITS: UsageLimits = { bytes: 4 * 1024 ** 3, entries: 500_000 };
const TOP: FolderMarks = { isContainer: true, isOpaque: false };

/** A name in a folder of the layer */
export interface Spot {
  folder: LayerFolder;
  name: string;
}

export class Layer implements Disposable {
  readonly top = new LayerFolder(undefined, '', TOP);
  readonly usage: Usage;
  readonly work: WorkFolder;
  readonly #treeFd: number;
  readonly #fds: FolderFds;

  /** Reads all names of the layer. @throws Error if the folder cannot be used */
  constructor({ path, limits }: LayerOptions) {
    this.usage = new Usage({ ...LIMITS, ...limits });
    const [tree, work] = [`${path}/tree`, `${path}/work`];
    for (const folder of [tree, work]) mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#treeFd = openFolder(tree);
    this.work = new WorkFolder(openFolder(work));
    this.#fds = new FolderFds(this.top, this.#treeFd);
    loadItems(this.top, { fdOf: (folder) => this.fd(folder), usage: this.usage });
  }

  get isEmpty(): boolean {
    return this.top.items.size === 0;
  }

  find(names: readonly string[]): Item | undefined {
    return this.isEmpty && names.length > 0 ? undefined : findItem(this.top, names);
  }

  /** For the policy's question about the layer. */
  held(names: readonly string[]): 'entry' | 'opaque' | undefined {
    const item = this.find(names);
    if (!isOwn(item)) return undefined;
    return item.is === 'folder' && item.isOpaque ? 'opaque' : 'entry';
  }

  /** Descriptor (O_PATH) of a folder, valid until many more were asked for; @throws ESTALE */
  fd(folder: LayerFolder): number {
    return this.#fds.get(folder);
  }

  /** @returns the attributes as the guest sees them; @throws ENOENT */
  stat({ folder, name }: Spot): Stat {
    const item = folder.items.get(name) ?? fail('ENOENT');
    return meantStat(statAt(this.fd(folder), name), item);
  }

  statFolder(folder: LayerFolder): Stat {
    return meantStat(statFd(this.fd(folder)), folder);
  }

  /** @returns a descriptor that the caller closes */
  createFile(spot: Spot, { flags, mode }: { flags: number; mode: number }): number {
    this.usage.requireEntry();
    const { name, fd } = this.work.makeFile(flags, mode);
    try {
      this.place(spot, name, FILE);
    } catch (error) {
      closeFd(fd);
      throw error;
    }
    return fd;
  }

  createFolder(spot: Spot, { mode, ...marks }: FolderMarks & { mode: number }): LayerFolder {
    this.usage.requireEntry();
    const made = new LayerFolder(spot.folder, spot.name, marks);
    this.place(spot, this.work.makeFolder(folderMode(mode, marks)), made);
    return made;
  }

  createLink(spot: Spot, target: string): void {
    this.usage.requireEntry();
    this.place(spot, this.work.makeLink(target), FILE);
  }

  createSpecial(spot: Spot, special: SpecialItem): void {
    this.usage.requireEntry();
    this.place(spot, this.work.makeRecord(encodeSpecial(special)), special);
  }

  /** Removes the name for the guest while the host has it. Beyond the bound, too: what frees room must not need any. */
  createWhiteout(spot: Spot): void {
    this.place(spot, this.work.makeRecord(Buffer.alloc(0)), WHITEOUT);
  }

  /** Gives the file of `fd` one more name, in place of a whiteout if there is one. */
  addName(fd: number, spot: Spot, item: Item): void {
    this.usage.requireEntry();
    const name = this.work.newName();
    linkFd(fd, this.work.fd, name);
    this.place(spot, name, item);
  }

  /** Renames what lies in the work folder into place; what was there goes. */
  place({ folder, name }: Spot, workName: string, item: Item): void {
    const old = folder.items.get(name);
    const paths = { oldDirFd: this.work.fd, oldName: workName, newDirFd: this.fd(folder), newName: name };
    const swaps = old !== undefined && (old.is === 'folder' || item.is === 'folder');
    renameAt({ ...paths, flags: swaps ? RENAME_EXCHANGE : old === undefined ? RENAME_NOREPLACE : 0 });
    if (old === undefined) this.usage.entries++;
    folder.put(name, item);
    this.#drop(old);
    if (swaps) this.work.remove(workName);
  }

  /** Removes an entry with all below it. */
  remove({ folder, name }: Spot): void {
    const item = folder.items.get(name);
    if (item === undefined) return;
    if (item.is !== 'folder') unlinkAt(this.fd(folder), name);
    else {
      const workName = this.work.newName();
      renameAt({ oldDirFd: this.fd(folder), oldName: name, newDirFd: this.work.fd, newName: workName, flags: 0 });
      this.work.remove(workName);
    }
    folder.items.delete(name);
    this.usage.entries--;
    this.#drop(item);
  }

  /** What was at `to` goes. A killed server may leave the host's entry at `from` visible beside the moved one. */
  move(from: Spot, to: Spot, { leavesWhiteout }: { leavesWhiteout: boolean }): void {
    const item = from.folder.items.get(from.name) ?? fail('ENOENT');
    const old = to.folder.items.get(to.name);
    if (old?.is === 'folder' || (old !== undefined && item.is === 'folder')) this.remove(to);
    const [oldDirFd, newDirFd] = [this.fd(from.folder), this.fd(to.folder)];
    renameAt({ oldDirFd, oldName: from.name, newDirFd, newName: to.name, flags: 0 });
    from.folder.items.delete(from.name);
    if (to.folder.items.has(to.name)) this.usage.entries--;
    to.folder.put(to.name, item);
    if (leavesWhiteout) this.createWhiteout(from);
  }

  exchange(one: Spot, other: Spot): void {
    const a = one.folder.items.get(one.name) ?? fail('ENOENT');
    const b = other.folder.items.get(other.name) ?? fail('ENOENT');
    const [oldDirFd, newDirFd] = [this.fd(one.folder), this.fd(other.folder)];
    renameAt({ oldDirFd, oldName: one.name, newDirFd, newName: other.name, flags: RENAME_EXCHANGE });
    one.folder.put(one.name, b);
    other.folder.put(other.name, a);
  }

  [Symbol.dispose](): void {
    this.#fds[Symbol.dispose]();
    closeFd(this.#treeFd);
    closeFd(this.work.fd);
  }

  #drop(item: Item | undefined): void {
    if (item?.is !== 'folder') return;
    this.usage.entries -= forgetBelow(item, (folder) => this.#fds.forget(folder));
  }
}

function openFolder(path: string): number {
  return openAt(AT_FDCWD, Buffer.from(path).toString('latin1'), O_PATH | O_DIRECTORY);
}
