/** Finds what the guest sees at a name: the private layer's entry first, then the host's. */
import { type Item, isOwn } from '../../layer/items.ts';
import { fail } from '../sys/errno.ts';
import { statIfPresent } from '../sys/names.ts';
import { type FileKind, fileOf, kindOfMode, type Stat } from '../sys/stat.ts';
import type { Link, Where } from '../tables/node.ts';
import type { ServerState } from '../tables/state.ts';

export interface Found {
  stat: Stat;
  where: Where;
  kind: FileKind;
  identity: string;
}

/** @returns undefined for a name that is not there, hidden or removed inside */
export function find(state: ServerState, link: Link): Found | undefined {
  const found = state.layers.isOff ? onHost(state, link) : beneathLayer(state, link);
  if (found === undefined) return undefined;
  const verdict = state.gate.verdict(link, found, 'lookup');
  if (verdict === 'hidden') return undefined;
  if (found.where === 'layer' || state.layers.isOff || verdict === 'pass' || verdict === 'read-only') return found;
  const item = state.layers.itemAt(link);
  if (verdict === 'private-only') return isOwn(item) ? inLayer(state, link) : seenWithoutLayer(state, link, found);
  return item?.is === 'whiteout' ? undefined : found;
}

/** As `find`, where the policy is asked by the caller: it needs to know only what is removed or hidden by the layer. */
export function peek(state: ServerState, link: Link): Found | undefined {
  return state.layers.placeOf(link) === undefined ? onHost(state, link) : find(state, link);
}

function onHost(state: ServerState, { parent, name }: Link): Found | undefined {
  const stat = statIfPresent(state.fds.get(parent), name);
  return stat === undefined ? undefined : { stat, where: 'host', ...fileOf(stat) };
}

function inLayer(state: ServerState, link: Link): Found {
  const { layer, spot } = state.layers.spotOf(link);
  const stat = layer.stat(spot);
  return { stat, where: 'layer', ...fileOf(stat) };
}

function beneathLayer(state: ServerState, link: Link): Found | undefined {
  if (link.parent.kind !== 'directory') return fail('ENOTDIR');
  const item = state.layers.itemAt(link);
  if (link.parent.where === 'layer') return isOwn(item) ? inLayer(state, link) : undefined;
  if (isOwn(item) && (item.is !== 'folder' || item.isOpaque)) return inLayer(state, link);
  const found = onHost(state, link);
  return item?.is === 'folder' ? merged(state, link, { item, found }) : found;
}

/** A folder of both is the host's, with the attributes that it was given inside. */
function merged(
  state: ServerState,
  link: Link,
  { item, found }: { item: Item & { is: 'folder' }; found: Found | undefined },
): Found | undefined {
  if (item.isContainer) return found;
  if (found === undefined || kindOfMode(found.stat.mode) !== 'directory') return inLayer(state, link);
  const { layer } = state.layers.spotOf(link);
  const { identity, ino } = found.stat;
  return { ...found, stat: { ...layer.statFolder(item), identity, ino } };
}

/** Without a layer of its own, a root shows what is private as it is on the host. */
function seenWithoutLayer(state: ServerState, link: Link, found: Found): Found | undefined {
  return state.layers.placeOf(link) === undefined ? found : undefined;
}
