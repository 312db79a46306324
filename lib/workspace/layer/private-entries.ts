/** Lists what a layer holds, for `sbx diff`. */
import { kindOfMode } from '../server/sys/stat.ts';
import type { Item, LayerFolder } from './items.ts';
import type { Layer } from './layer.ts';

export interface PrivateEntry {
  /** From the root, bytes as a latin1 string */
  path: string;
  kind: 'file' | 'folder' | 'link' | 'special' | 'removed';
  /** In bytes; 0 for what is no file */
  size: number;
  /** A folder that hides the host's, with everything below it */
  isOpaque: boolean;
  /** The host has an entry of this name, which this one hides or changes */
  hasLower: boolean;
}

/**
 * Parents come before what they hold, names in the order of their bytes. Folders that only lead further are left out.
 * @param lower whether the host has an entry at a path
 */
export function* privateEntries(layer: Layer, lower: (path: string) => boolean): Generator<PrivateEntry> {
  const waiting: { folder: LayerFolder; path: string; lower: typeof lower }[] = [
    { folder: layer.top, path: '', lower },
  ];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { folder, path } = next;
    if (folder !== layer.top && !folder.isContainer) yield entryOf({ layer, lower: next.lower, item: folder, path });
    const hasLower = folder.isOpaque ? () => false : next.lower;
    const names = [...folder.items.keys()].sort();
    for (const name of names) {
      const item = folder.items.get(name);
      const below = path === '' ? name : `${path}/${name}`;
      if (item !== undefined && item.is !== 'folder')
        yield entryOf({ layer, lower: hasLower, item, path: below, spot: { folder, name } });
    }
    for (const name of names.reverse()) {
      const item = folder.items.get(name);
      if (item?.is === 'folder')
        waiting.push({ folder: item, path: path === '' ? name : `${path}/${name}`, lower: hasLower });
    }
  }
}

interface Described {
  layer: Layer;
  lower: (path: string) => boolean;
  item: Item;
  path: string;
  /** Where it lies, if it is no folder */
  spot?: { folder: LayerFolder; name: string };
}

function entryOf({ layer, lower, item, path, spot }: Described): PrivateEntry {
  const common = { path, size: 0, isOpaque: false, hasLower: lower(path) };
  if (item.is === 'folder') return { ...common, kind: 'folder', isOpaque: item.isOpaque };
  if (item.is === 'whiteout') return { ...common, kind: 'removed' };
  if (item.is === 'special' || spot === undefined) return { ...common, kind: 'special' };
  const { mode, size } = layer.stat(spot);
  const isLink = kindOfMode(mode) === 'symlink';
  return { ...common, kind: isLink ? 'link' : 'file', size: isLink ? 0 : size };
}
