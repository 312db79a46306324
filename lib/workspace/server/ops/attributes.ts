/** Reads and changes attributes: GETATTR, SETATTR, STATFS. */
import { setSpecialMode } from '../../layer/marks.ts';
import type { Decoded } from '../fuse/decode.ts';
import { attributesReply, type Reply, statfsReply } from '../fuse/encode.ts';
import { prepareChange } from '../overlay/areas.ts';
import { openNode, statNode, withFd, withNodeFd } from '../overlay/resolve.ts';
import { isTop, statTop } from '../overlay/top.ts';
import { fail } from '../sys/errno.ts';
import { setMode, setModeOfPath, setTimes, statFd, statFileSystem, truncateFd } from '../sys/files.ts';
import { O_WRONLY } from '../sys/flags.ts';
import type { Stat } from '../sys/stat.ts';
import type { Node } from '../tables/node.ts';
import type { ServerState } from '../tables/state.ts';
import type { Call } from './call.ts';
import { dropPrivileges, endPrivileges } from './privileges.ts';

const PERMISSION_BITS = 0o777;
const SPECIAL_BITS = 0o7000;
const ID_UNCHANGED = 0xffff_ffff;
const NANOSECONDS = 1_000_000_000;

export function getattr({ state, node }: Call, { handle }: Decoded['GETATTR']): Reply {
  state.gate.requireNode(node, 'lookup');
  if (handle === undefined) return replyOf(state, node, isTop(node) ? statTop(node) : statNode(state, node));
  const opened = state.handles.get(handle, node, kindOfHandle(node));
  return replyOf(state, node, node.kind === 'file' ? statFd(opened.fd) : statNode(state, node));
}

export function setattr({ state, node }: Call, change: Decoded['SETATTR']): Reply {
  const { size, mode, uid, gid, atime, mtime, handle, endsPrivileges } = change;
  if (isTop(node)) return fail('EROFS');
  for (const time of [atime, mtime])
    if (typeof time === 'object' && time.nanoseconds >= NANOSECONDS) return fail('EINVAL');
  if (size !== undefined) prepareChange(state, node, 'write');
  const metadata = [mode, uid, gid, atime, mtime].some((value) => value !== undefined);
  if (metadata) prepareChange(state, node, 'metadata');
  if (size !== undefined) truncate(state, node, { size, handle, endsPrivileges });
  if (mode !== undefined) (node.kind === 'other' ? changeModeOfSpecial : changeMode)(state, node, mode);
  if (uid !== undefined || gid !== undefined) changeOwner(state, node, { uid, gid });
  if (atime !== undefined || mtime !== undefined) withNodeFd(state, node, ({ fd }) => setTimes(fd, atime, mtime));
  return replyOf(state, node, statNode(state, node));
}

/** Sets the size through the guest's own handle, or another open one, or a descriptor for this call. */
export function truncate(
  state: ServerState,
  node: Node,
  { size, handle, endsPrivileges }: { size: number; handle?: number | undefined; endsPrivileges: boolean },
): void {
  if (node.kind !== 'file') fail(node.kind === 'directory' ? 'EISDIR' : 'EINVAL');
  if (node.where === 'layer') state.layers.resize(node, statNode(state, node).size, size);
  if (handle !== undefined) truncateFd(state.handles.get(handle, node, 'file').fd, size);
  else withFd(openNode(state, node, O_WRONLY), (fd) => truncateFd(fd, size));
  endPrivileges(state, node, endsPrivileges);
}

/** The permission bits go to the host, the special ones stay with the guest. */
function changeMode(state: ServerState, node: Node, mode: number): void {
  if (node.kind === 'symlink') fail('EOPNOTSUPP');
  const special = mode & SPECIAL_BITS;
  withNodeFd(state, node, ({ fd, pathOnly, isPrivate }) => {
    const stat = statFd(fd);
    // A folder keeps the bits that it has on the host: new files there take its group. In the layer they are marks.
    const kept = node.kind === 'directory' ? stat.mode & (isPrivate ? SPECIAL_BITS : 0o3000) : 0;
    (pathOnly ? setModeOfPath : setMode)(fd, (mode & PERMISSION_BITS) | kept);
    if (special !== (isPrivate ? 0 : kept) || state.owners.get(node.identity) !== undefined)
      state.owners.set(node.identity, { special });
  });
}

function changeModeOfSpecial({ layers }: ServerState, node: Node, mode: number): void {
  const [link] = node.links;
  if (node.where === 'host' || link === undefined) fail('EOPNOTSUPP');
  const { layer, spot } = layers.spotOf(link);
  setSpecialMode(layer, spot, mode & PERMISSION_BITS);
}

function changeOwner(
  state: ServerState,
  node: Node,
  { uid, gid }: { uid: number | undefined; gid: number | undefined },
): void {
  state.owners.set(node.identity, {
    ...(uid !== undefined && uid !== ID_UNCHANGED && { uid }),
    ...(gid !== undefined && gid !== ID_UNCHANGED && { gid }),
  });
  if (node.kind === 'file') dropPrivileges(state, node);
}

export function statfs({ state, node }: Call): Reply {
  const [root] = state.volume.roots;
  if (isTop(node) && root !== undefined) return statfsReply(statFileSystem(root.fd));
  return statfsReply(withNodeFd(state, node, ({ fd }) => statFileSystem(fd)));
}

function replyOf(state: ServerState, node: Node, stat: Stat): Reply {
  const seconds = state.attributeLifetime?.(node, stat) ?? state.lifetimes.attributeSeconds;
  return attributesReply(state.owners.shown(stat), seconds);
}

function kindOfHandle(node: Node): 'file' | 'directory' {
  return node.kind === 'directory' ? 'directory' : 'file';
}
