/** What the private layer holds, in memory: most questions are answered without a system call. */

/** A regular file or a link: stored as itself */
interface FileItem {
  is: 'file';
}

/** A FIFO, a socket or a device node: on the host a plain file that holds this record */
export interface SpecialItem {
  is: 'special';
  /** Type and permission bits */
  mode: number;
  /** Major and minor number, as Linux packs them into 32 bits */
  rdev: number;
}

/** The name was removed inside */
interface WhiteoutItem {
  is: 'whiteout';
}

export type Item = FileItem | SpecialItem | WhiteoutItem | LayerFolder;

export const FILE: FileItem = { is: 'file' };
export const WHITEOUT: WhiteoutItem = { is: 'whiteout' };

export interface FolderMarks {
  /** Only the way to what lies below: the folder itself is the host's */
  isContainer: boolean;
  /** Hides the host's folder of the same name, and everything below it */
  isOpaque: boolean;
}

export class LayerFolder {
  readonly is = 'folder';
  readonly items = new Map<string, Item>();
  /** Undefined for the top, and for a folder that was removed */
  parent: LayerFolder | undefined;
  name: string;
  isContainer: boolean;
  isOpaque: boolean;

  constructor(parent: LayerFolder | undefined, name: string, { isContainer, isOpaque }: FolderMarks) {
    this.parent = parent;
    this.name = name;
    this.isContainer = isContainer;
    this.isOpaque = isOpaque;
  }

  /** Puts `item` under `name` and keeps a folder's own place in step. */
  put(name: string, item: Item): void {
    this.items.set(name, item);
    if (item.is !== 'folder') return;
    item.parent = this;
    item.name = name;
  }
}

/** @returns what is at the path, names as bytes in latin1 strings; the top for no name */
export function findItem(top: LayerFolder, names: readonly string[]): Item | undefined {
  let item: Item | undefined = top;
  for (const name of names) {
    if (item?.is !== 'folder') return undefined;
    item = item.items.get(name);
  }
  return item;
}

/** Ends a folder that was removed. @returns how many entries were below */
export function forgetBelow(top: LayerFolder, forget: (folder: LayerFolder) => void): number {
  let count = 0;
  const waiting = [top];
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    count += folder.items.size;
    for (const item of folder.items.values()) if (item.is === 'folder') waiting.push(item);
    folder.parent = undefined;
    forget(folder);
  }
  return count;
}

/** True for what the guest sees as its own: neither a whiteout nor a folder that only leads further. */
export function isOwn(item: Item | undefined): item is Exclude<Item, WhiteoutItem> {
  return item !== undefined && item.is !== 'whiteout' && !(item.is === 'folder' && item.isContainer);
}
