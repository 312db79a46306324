/** Reads what a folder lists: the host's entries, and those of the private layer. */
import { isOwn, type LayerFolder } from '../../layer/items.ts';
import { openReadable } from '../../layer/load.ts';
import { closeFd } from '../sys/files.ts';
import { kindOfEntry, type ListedEntry, type Listing, type Source } from '../tables/listing.ts';
import type { Node } from '../tables/node.ts';
import type { ServerState } from '../tables/state.ts';

/** @param fd of the folder that the guest has open; @throws ENOMEM */
export function readListing(state: ServerState, node: Node, fd: number): Listing {
  const { listings } = state.handles;
  const found = state.layers.isOff ? undefined : state.layers.folderOf(node);
  if (found === undefined) return listings.read([{ fd, isOwn: node.where === 'layer' }]);
  const { layer, folder } = found;
  const own = (source: number): Source => ({ fd: source, isOwn: true, typeOf: (entry) => typeInLayer(folder, entry) });
  if (node.where === 'layer') return listings.read([own(fd)]);
  if (folder.items.size === 0) return listings.read([{ fd, isOwn: false }]);
  const layerFd = openReadable(layer.fd(folder));
  try {
    const host: Source = { fd, isOwn: false, typeOf: (entry) => typeOnHost(state, { node, folder, entry }) };
    return listings.read([host, own(layerFd)]);
  } finally {
    closeFd(layerFd);
  }
}

/** @returns DT_*; undefined for what is no entry of the guest's */
function typeInLayer(folder: LayerFolder, { name, type }: ListedEntry): number | undefined {
  const item = folder.items.get(name);
  if (!isOwn(item)) return undefined;
  return item.is === 'special' ? item.mode >> 12 : type;
}

/** @returns undefined for an entry that was removed inside, or that the layer has an own one for */
function typeOnHost(
  { gate }: ServerState,
  { node, folder, entry }: { node: Node; folder: LayerFolder; entry: ListedEntry },
): number | undefined {
  const item = folder.items.get(entry.name);
  if (item === undefined) return entry.type;
  if (item.is !== 'whiteout') return isOwn(item) ? undefined : entry.type;
  const verdict = gate.verdict({ parent: node, name: entry.name }, { kind: kindOfEntry(entry) }, 'list');
  return verdict === 'private' || verdict === 'private-only' ? undefined : entry.type;
}
