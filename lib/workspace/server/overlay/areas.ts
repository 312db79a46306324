/** Decides whether a change is the host's or the private layer's, and copies a file of the host up before its first private change. */
import { copyFile, finishCopy } from '../../layer/copy-up.ts';
import { FILE, type LayerFolder } from '../../layer/items.ts';
import type { Layer } from '../../layer/layer.ts';
import { makeOwn } from '../../layer/marks.ts';
import type { WorkspaceOperation } from '../../policy/types.ts';
import { fail } from '../sys/errno.ts';
import { closeFd, reopen, replaceFd, setTimes, statFd } from '../sys/files.ts';
import { O_ACCMODE, O_APPEND, O_PATH, O_RDONLY } from '../sys/flags.ts';
import { openAt, readLinkAt } from '../sys/names.ts';
import type { Link, Node, Where } from '../tables/node.ts';
import type { PolicyFile } from '../tables/policy.ts';
import type { ServerState } from '../tables/state.ts';
import { locate, openNode, statNode, withFd } from './resolve.ts';

/** @returns where a change of the name happens; @throws as the policy says for names that must not change */
export function areaOf(
  state: ServerState,
  link: Link,
  { operation, where, ...file }: PolicyFile & { operation: WorkspaceOperation; where?: Where },
): Where {
  if (state.layers.placeOf(link) === undefined) {
    state.gate.requireName(link, file, operation);
    return 'host';
  }
  const verdict = state.gate.requireChange(link, file, operation);
  return verdict !== 'pass' || where === 'layer' || link.parent.where === 'layer' ? 'layer' : 'host';
}

/** Call it before a change of the node's content or attributes: afterwards its descriptors are those of the file that may change. */
export function prepareChange(state: ServerState, node: Node, operation: WorkspaceOperation): void {
  if (areaOfNode(state, node, operation) === 'layer' && node.where === 'host') copyUp(state, node);
}

/** As `areaOf`, for all names of a node. */
export function areaOfNode(state: ServerState, node: Node, operation: WorkspaceOperation): Where {
  if (!state.gate.active) return node.where;
  if (node.root !== undefined || state.layers.layerOf(node) === undefined) {
    state.gate.requireNode(node, operation);
    return 'host';
  }
  const links = node.links.length === 0 && node.lastLink !== undefined ? [node.lastLink] : node.links;
  // Each name is asked: one that is private makes the file private under all of them.
  const verdicts = links.map((link) => state.gate.requireChange(link, node, operation));
  if (node.where === 'host' && verdicts.includes('private-only')) return fail('ENOENT');
  return verdicts.every((verdict) => verdict === 'pass') ? node.where : 'layer';
}

export function copyUp(state: ServerState, node: Node): void {
  if (node.kind === 'directory') ownFolder(state, node);
  else if (node.kind === 'other') fail('EPERM');
  else copyUpFile(state, node);
}

/** @returns the layer's folder for a folder that the guest sees, made if needed */
export function ensureFolder(state: ServerState, node: Node): { layer: Layer; folder: LayerFolder } {
  const found = state.layers.folderOf(node);
  if (found !== undefined) return found;
  const [link] = node.links;
  if (node.where === 'layer' || link === undefined) return fail('ESTALE');
  const { layer, folder } = ensureFolder(state, link.parent);
  const isOwn = state.gate.verdict(link, node, 'metadata').startsWith('private');
  const { mode, atime, mtime } = statNode(state, node);
  const made = layer.createFolder(
    { folder, name: link.name },
    { mode: isOwn ? mode : 0o700, isContainer: !isOwn, isOpaque: false },
  );
  if (isOwn) setTimes(layer.fd(made), atime, mtime);
  return { layer, folder: made };
}

/** The folder's own attributes are the layer's from now on; what is in it is still the host's as well. */
function ownFolder(state: ServerState, node: Node): void {
  const before = statNode(state, node);
  const { layer, folder } = ensureFolder(state, node);
  if (!folder.isContainer) return;
  makeOwn(layer, folder, before.mode);
  setTimes(layer.fd(folder), before.atime, before.mtime);
}

function copyUpFile(state: ServerState, node: Node): void {
  const layer = state.layers.layerOf(node) ?? fail('ESTALE');
  const spots = node.links.map(({ parent, name }) => ({ folder: ensureFolder(state, parent).folder, name }));
  const made = copyOf(state, node, { layer, movesHandles: true });
  try {
    const [first, ...others] = spots;
    if (first === undefined) layer.work.remove(made.name);
    else layer.place(first, made.name, FILE);
    for (const spot of others) layer.addName(made.fd, spot, FILE);
    const { identity } = statFd(made.fd);
    const kept = state.owners.get(node.identity);
    if (kept !== undefined) state.owners.set(identity, kept);
    state.nodes.moveToLayer(node, identity);
  } finally {
    closeFd(made.fd);
  }
}

interface CopyOptions {
  layer: Layer;
  /** The files that are open already become the copy */
  movesHandles: boolean;
}

/** @returns the name of a copy in the work folder, and a descriptor that the caller closes */
export function copyOf(state: ServerState, node: Node, options: CopyOptions): { name: string; fd: number } {
  return node.kind === 'symlink' ? copyLink(state, node, options.layer) : copyContent(state, node, options);
}

function copyContent(state: ServerState, node: Node, { layer, movesHandles }: CopyOptions) {
  return withFd(openNode(state, node, O_RDONLY), (from) => {
    const stat = statFd(from);
    const made = copyFile(layer, { fd: from, stat });
    if (movesHandles) moveHandles(node, made.fd);
    finishCopy(made.fd, stat);
    return made;
  });
}

/** For the guest's kernel all open ones are one file, whose pages it shares. */
function moveHandles(node: Node, copy: number): void {
  const open = [...(node.handles ?? [])].flatMap(({ fd, flags }) =>
    fd === undefined ? [] : [{ fd, opened: reopen(copy, flags & (O_ACCMODE | O_APPEND)) }],
  );
  for (const { fd, opened } of open) replaceFd(opened, fd);
}

function copyLink(state: ServerState, node: Node, layer: Layer): { name: string; fd: number } {
  const { dirFd, name, stat } = locate(state, node);
  layer.usage.requireEntry();
  const made = layer.work.makeLink(readLinkAt(dirFd, name).toString('latin1'));
  const fd = openAt(layer.work.fd, made, O_PATH);
  setTimes(fd, stat.atime, stat.mtime);
  return { name: made, fd };
}
