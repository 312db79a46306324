/** Changes what an entry of the layer is marked as. */
import { fail } from '../server/sys/errno.ts';
import { closeFd, setModeOfPath, setTimes, statFd, writeAt } from '../server/sys/files.ts';
import { O_WRONLY, S_IFMT } from '../server/sys/flags.ts';
import { openAt } from '../server/sys/names.ts';
import type { LayerFolder } from './items.ts';
import type { Layer, Spot } from './layer.ts';
import { encodeSpecial, folderMode } from './record.ts';

/** From now on a folder hides what the host has or will have of its name. */
export function makeOpaque(layer: Layer, { folder, name }: Spot): void {
  const item = folder.items.get(name);
  if (item?.is !== 'folder' || item.isOpaque) return;
  item.isOpaque = true;
  mark(layer, item, statFd(layer.fd(item)).mode);
}

/** The folder's own attributes are the layer's from now on; what is in it is still the host's as well. */
export function makeOwn(layer: Layer, folder: LayerFolder, permissions: number): void {
  folder.isContainer = false;
  mark(layer, folder, permissions);
}

function mark(layer: Layer, folder: LayerFolder, permissions: number): void {
  setModeOfPath(layer.fd(folder), folderMode(permissions, folder));
}

export function setSpecialMode(layer: Layer, { folder, name }: Spot, permissions: number): void {
  const item = folder.items.get(name);
  if (item?.is !== 'special') fail('ESTALE');
  item.mode = (item.mode & S_IFMT) | (permissions & 0o777);
  const fd = openAt(layer.fd(folder), name, O_WRONLY);
  try {
    const { atime, mtime } = statFd(fd);
    writeAt(fd, encodeSpecial(item), 0);
    // A change of the mode is none of the content.
    setTimes(fd, atime, mtime);
  } finally {
    closeFd(fd);
  }
}
