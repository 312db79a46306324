/** Where a new entry of the private layer goes. */
import type { Layer, Spot } from '../../layer/layer.ts';
import { fail } from '../sys/errno.ts';
import type { FileKind } from '../sys/stat.ts';
import type { Link } from '../tables/node.ts';
import type { ServerState } from '../tables/state.ts';
import { ensureFolder } from './areas.ts';
import { find } from './find.ts';

export interface NewPrivate {
  layer: Layer;
  spot: Spot;
  /** A folder there hides what the host has or will have */
  isOpaque: boolean;
}

/** @throws EEXIST if the guest sees an entry there */
export function newPrivate(state: ServerState, link: Link, kind: FileKind): NewPrivate {
  if (find(state, link) !== undefined) return fail('EEXIST');
  const { layer, folder } = ensureFolder(state, link.parent);
  const spot = { folder, name: link.name };
  const item = folder.items.get(link.name);
  // The way to entries of a folder that the host has removed: a new folder begins empty.
  if (item?.is === 'folder') layer.remove(spot);
  const isOpaque = item?.is === 'whiteout' || state.gate.verdict(link, { kind }, 'create') === 'private-only';
  return { layer, spot, isOpaque };
}

/** Drops what the layer kept below a folder that the host had removed, once the guest has made it again. */
export function dropLeftovers(state: ServerState, link: Link): void {
  const place = state.layers.placeOf(link);
  if (place?.layer.find(place.names)?.is !== 'folder') return;
  const { layer, spot } = state.layers.spotOf(link);
  layer.remove(spot);
}
