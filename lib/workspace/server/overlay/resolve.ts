/** Finds the file of a node on the host again, and checks that it is the same file. */
import type { LayerFolder } from '../../layer/items.ts';
import type { Layer } from '../../layer/layer.ts';
import { meantFolder } from '../../layer/record.ts';
import { Errno, fail, isErrno } from '../sys/errno.ts';
import { closeFd, reopen, statFd } from '../sys/files.ts';
import { O_DIRECTORY, O_PATH } from '../sys/flags.ts';
import { openAt, statIfPresent } from '../sys/names.ts';
import type { Stat } from '../sys/stat.ts';
import type { Link, Node } from '../tables/node.ts';
import type { ServerState } from '../tables/state.ts';

interface Located {
  dirFd: number;
  name: string;
  stat: Stat;
}

/** @returns the first name under which the node's file still lies; @throws ESTALE */
export function locate(state: ServerState, node: Node): Located {
  for (const link of node.links) {
    const found = node.where === 'layer' ? locateInLayer(state, link) : locateOnHost(state, link);
    if (found !== undefined && found.stat.identity === node.identity) return found;
  }
  return fail('ESTALE');
}

function locateOnHost(state: ServerState, { parent, name }: Link): Located | undefined {
  const dirFd = usable(() => state.fds.get(parent));
  const stat = dirFd === undefined ? undefined : statIfPresent(dirFd, name);
  return dirFd === undefined || stat === undefined ? undefined : { dirFd, name, stat };
}

function locateInLayer({ layers }: ServerState, { parent, name }: Link): Located | undefined {
  const found = layers.folderOf(parent);
  if (found?.folder.items.has(name) !== true) return undefined;
  const { layer, folder } = found;
  const stat = layer.stat({ folder, name });
  return { dirFd: layer.fd(folder), name, stat };
}

/** The layer's folder that has the attributes of a folder, if it is the guest's own or was changed inside */
function attributesInLayer({ layers }: ServerState, node: Node): { layer: Layer; folder: LayerFolder } | undefined {
  const found = node.root !== undefined || layers.isOff ? undefined : layers.folderOf(node);
  return found === undefined || found.folder.isContainer ? undefined : found;
}

/** Descriptor (O_PATH) of a folder, where its content is listed and its names are looked up first; @throws ESTALE */
function folderFd(state: ServerState, node: Node): number {
  if (node.where === 'host') return state.fds.get(node);
  const gone = state.fds.getGone(node);
  if (gone !== undefined) return gone;
  const { layer, folder } = state.layers.folderOf(node) ?? fail('ESTALE');
  return layer.fd(folder);
}

/** Attributes of the node's file, also when it is open and has no name any more */
export function statNode(state: ServerState, node: Node): Stat {
  if (node.kind === 'directory') return statFolder(state, node);
  const fd = openFdOf(node);
  return fd === undefined ? locate(state, node).stat : statFd(fd);
}

function statFolder(state: ServerState, node: Node): Stat {
  const own = attributesInLayer(state, node);
  const host = () => statFd(openFdOf(node) ?? state.fds.get(node));
  if (own === undefined)
    return node.where === 'layer' ? meantFolder(statFd(openFdOf(node) ?? folderFd(state, node))) : host();
  const stat = own.layer.statFolder(own.folder);
  if (node.where === 'layer') return stat;
  const { identity, ino } = host();
  return { ...stat, identity, ino };
}

/** Opens the node's own file. The caller closes it. @throws ESTALE if another file lies there now */
export function openNode(state: ServerState, node: Node, flags: number): number {
  if (node.kind === 'directory') return openFolder(folderFd(state, node), flags);
  const found = usable(() => locate(state, node));
  const open = openFdOf(node);
  if (found === undefined) return open === undefined ? fail('ESTALE') : reopen(open, flags);
  const fd = openAt(found.dirFd, found.name, flags);
  if (statFd(fd).identity === node.identity) return fd;
  closeFd(fd);
  return fail('ESTALE');
}

/** The name `.` would need the right to search the folder, which listing it does not. The descriptor is a folder's: no link is followed. */
function openFolder(pathFd: number, flags: number): number {
  try {
    return openAt(pathFd, '.', flags);
  } catch (error) {
    if (!isErrno(error, 'EACCES')) throw error;
    return reopen(pathFd, flags | O_DIRECTORY);
  }
}

/** As `openNode`; of a folder of both it opens the layer's, which has its attributes. */
export function openAttributes(state: ServerState, node: Node, flags: number): number {
  const own = node.kind === 'directory' ? attributesInLayer(state, node) : undefined;
  return own === undefined ? openNode(state, node, flags) : openFolder(own.layer.fd(own.folder), flags);
}

/** A descriptor for a change of metadata */
interface NodeFd {
  fd: number;
  /** O_PATH: not good for every call */
  pathOnly: boolean;
  /** The layer's: special bits of its mode are marks */
  isPrivate: boolean;
}

/** Runs `use` with a descriptor of the node's own file. */
export function withNodeFd<T>(state: ServerState, node: Node, use: (open: NodeFd) => T): T {
  const own = node.kind === 'directory' ? attributesInLayer(state, node) : undefined;
  if (own !== undefined) return use({ fd: own.layer.fd(own.folder), pathOnly: true, isPrivate: true });
  const open = openFdOf(node);
  const isPrivate = node.where === 'layer';
  if (open !== undefined) return use({ fd: open, pathOnly: false, isPrivate });
  if (node.kind === 'directory') return use({ fd: folderFd(state, node), pathOnly: true, isPrivate });
  return withFd(openNode(state, node, O_PATH), (fd) => use({ fd, pathOnly: true, isPrivate }));
}

/** Closes `fd` after `use`. */
export function withFd<T>(fd: number, use: (fd: number) => T): T {
  try {
    return use(fd);
  } finally {
    closeFd(fd);
  }
}

function openFdOf(node: Node): number | undefined {
  if (node.handles === undefined) return undefined;
  for (const { fd } of node.handles) if (fd !== undefined) return fd;
  return undefined;
}

/** @returns undefined if the file is not there any more */
function usable<T>(find: () => T): T | undefined {
  try {
    return find();
  } catch (error) {
    if (error instanceof Errno && (isErrno(error, 'ESTALE') || isErrno(error, 'ENOTDIR'))) return undefined;
    throw error;
  }
}
