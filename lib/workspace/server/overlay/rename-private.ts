/** Renames that the private layer takes part in. */
import { FILE } from '../../layer/items.ts';
import type { Layer, Spot } from '../../layer/layer.ts';
import { makeOpaque } from '../../layer/marks.ts';
import { fail } from '../sys/errno.ts';
import { closeFd, statFd } from '../sys/files.ts';
import { unlinkAt } from '../sys/names.ts';
import type { Link, Node } from '../tables/node.ts';
import type { ServerState } from '../tables/state.ts';
import { copyOf, copyUp, ensureFolder } from './areas.ts';
import type { Found } from './find.ts';
import { forgetFile, needsWhiteout } from './remove-private.ts';
import { locate } from './resolve.ts';

interface PrivateMove {
  from: Link;
  to: Link;
  found: Found;
  /** What is replaced */
  target: Found | undefined;
}

/** Within the layer. A folder of which the host has a part is copied by the guest's program instead (EXDEV). */
export function movePrivate(state: ServerState, { from, to, found, target }: PrivateMove): void {
  const { kind, identity } = found;
  if (kind === 'directory' && found.where === 'host') fail('EXDEV');
  if (kind !== 'other') state.gate.requireRename(from, to, { kind, identity, allowed: 'private' });
  requireSameLayer(state, from, to);
  withNode(state, { link: from, found }, (node) => {
    if (found.where === 'host') copyUp(state, node);
    const spot = ensureSpot(state, to);
    const { layer, spot: source } = state.layers.spotOf(from);
    if (kind === 'directory') makeOpaque(layer, source);
    const leavesWhiteout = needsWhiteout(state, from, found);
    layer.move(source, spot, { leavesWhiteout });
    if (target !== undefined) forgetFile(state, to, target);
    state.nodes.move(from, to);
  });
}

export function exchangePrivate(
  state: ServerState,
  one: { link: Link; found: Found },
  other: { link: Link; found: Found },
): void {
  requireSameLayer(state, one.link, other.link);
  for (const { found } of [one, other]) if (found.kind === 'directory' && found.where === 'host') fail('EXDEV');
  for (const each of [one, other])
    withNode(state, each, (node) => {
      if (each.found.where === 'host') copyUp(state, node);
    });
  const [a, b] = [state.layers.spotOf(one.link), state.layers.spotOf(other.link)];
  for (const { spot } of [a, b]) makeOpaque(a.layer, spot);
  a.layer.exchange(a.spot, b.spot);
}

/** From the host: a program that replaces a private file by one that it wrote beside it (`x.tmp`) sees one rename. */
export function moveIntoLayer(state: ServerState, { from, to, found, target }: PrivateMove): void {
  if (found.kind === 'directory' || found.kind === 'other') fail('EXDEV');
  requireSameLayer(state, from, to);
  const { layer, folder } = ensureFolder(state, to.parent);
  withNode(state, { link: from, found }, (node) => {
    // An open file becomes the copy. One with other names stays what it is under them.
    const isWhole = node.links.length === 1 && found.stat.nlink === 1;
    const made = copyOf(state, node, { layer, movesHandles: isWhole });
    try {
      layer.place({ folder, name: to.name }, made.name, FILE);
      const { identity } = statFd(made.fd);
      const { dirFd, name } = locate(state, node);
      unlinkAt(dirFd, name);
      followFile(state, { node, from, to }, isWhole ? identity : undefined);
    } finally {
      closeFd(made.fd);
    }
    if (target !== undefined) forgetFile(state, to, target);
  });
}

/** @param identity of the copy, if the node is that from now on */
function followFile(
  state: ServerState,
  { node, from, to }: { node: Node; from: Link; to: Link },
  identity: string | undefined,
): void {
  if (identity === undefined) {
    for (const link of [from, to]) state.nodes.detach(link);
    return;
  }
  const kept = state.owners.get(node.identity);
  if (kept !== undefined) state.owners.set(identity, kept);
  state.owners.remove(node.identity);
  state.nodes.moveToLayer(node, identity);
  state.nodes.move(from, to);
}

/** What the layer has below a folder of the host goes with it. Call it first with what must not fail after the rename. */
export function prepareFollow(state: ServerState, from: Link, to: Link): () => void {
  const item = state.layers.itemAt(from);
  const stale = state.layers.itemAt(to);
  if (item?.is === 'folder') {
    const source = state.layers.spotOf(from);
    const spot = ensureSpot(state, to);
    return () => source.layer.move(source.spot, spot, { leavesWhiteout: false });
  }
  if (stale?.is !== 'folder') return () => {};
  const { layer, spot } = state.layers.spotOf(to);
  return () => layer.remove(spot);
}

/** For two names that the host has exchanged */
export function prepareSwap(state: ServerState, one: Link, other: Link): () => void {
  const [a, b] = [one, other].map((link) => state.layers.itemAt(link)?.is === 'folder');
  if (a !== true && b !== true) return () => {};
  const [first, second] = [ensureSpot(state, one), ensureSpot(state, other)];
  const { layer } = state.layers.spotOf(one);
  if (a === true && b === true) return () => layer.exchange(first, second);
  const [from, to] = a === true ? [first, second] : [second, first];
  return () => layer.move(from, to, { leavesWhiteout: false });
}

function ensureSpot(state: ServerState, { parent, name }: Link): Spot {
  return { folder: ensureFolder(state, parent).folder, name };
}

function requireSameLayer({ layers }: ServerState, one: Link, other: Link): void {
  const of = (link: Link): Layer | undefined => layers.placeOf(link)?.layer;
  if (of(one) !== of(other)) fail('EXDEV');
}

function withNode(state: ServerState, { link, found }: { link: Link; found: Found }, use: (node: Node) => void): void {
  const node = state.nodes.attach(link, found);
  try {
    use(node);
  } finally {
    state.nodes.dropUnused(node);
  }
}
