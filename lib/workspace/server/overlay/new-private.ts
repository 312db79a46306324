/** Where a new entry goes, above all in the private layer. */
import { isOwn } from '../../layer/items.ts';
import type { Layer, Spot } from '../../layer/layer.ts';
import { fail } from '../sys/errno.ts';
import type { FileKind } from '../sys/stat.ts';
import type { Link, Where } from '../tables/node.ts';
import type { ServerState } from '../tables/state.ts';
import { areaOf, ensureFolder } from './areas.ts';
import { find } from './find.ts';
import { isTop } from './top.ts';

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

/** @throws EROFS above the roots; as the policy says; ENFILE */
export function areaForNew(state: ServerState, link: Link, kind: FileKind, identity?: string): Where {
  if (isTop(link.parent)) fail('EROFS');
  const item = state.layers.itemAt(link);
  const where = isOwn(item) && (item.is !== 'folder' || item.isOpaque) ? 'layer' : 'host';
  const area = areaOf(state, link, { kind, where, operation: 'create', ...(identity !== undefined && { identity }) });
  state.nodes.requireRoom();
  return area;
}
