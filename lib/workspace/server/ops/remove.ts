/** Takes names away: UNLINK, RMDIR. */
import type { WorkspaceOperation } from '../../policy/types.ts';
import type { Decoded } from '../fuse/decode.ts';
import { emptyReply, type Reply } from '../fuse/encode.ts';
import { areaOf } from '../overlay/areas.ts';
import { type Found, peek } from '../overlay/find.ts';
import { dropLeftovers } from '../overlay/new-private.ts';
import { isEmptyFolder, removePrivate } from '../overlay/remove-private.ts';
import { fail } from '../sys/errno.ts';
import { removeDirectory, statIfPresent, unlinkAt } from '../sys/names.ts';
import { kindOfMode } from '../sys/stat.ts';
import type { Link, Where } from '../tables/node.ts';
import type { ServerState } from '../tables/state.ts';
import type { Call } from './call.ts';
import { holdFolder } from './hold-folder.ts';

export function unlink({ state, node: parent }: Call, { name }: Decoded['UNLINK']): Reply {
  const link = { parent, name };
  const existing = requireExisting(state, link, 'remove');
  if (existing.area === 'layer' && existing.found !== undefined) {
    if (existing.found.kind === 'directory') return fail('EISDIR');
    removePrivate(state, link, existing.found);
  } else {
    const dirFd = state.fds.get(parent);
    const last = lastNameOf(state, link, dirFd);
    unlinkAt(dirFd, name);
    state.owners.remove(last);
  }
  state.nodes.detach(link);
  return emptyReply();
}

export function rmdir({ state, node: parent }: Call, { name }: Decoded['RMDIR']): Reply {
  const link = { parent, name };
  const { area, found } = requireExisting(state, link, 'remove');
  if (found !== undefined && !state.layers.isOff) {
    if (found.kind !== 'directory') return fail('ENOTDIR');
    if (!isEmptyFolder(state, link, { where: found.where, ignoresHost: area === 'host' })) return fail('ENOTEMPTY');
  }
  holdFolder(state, link);
  if (area === 'layer' && found !== undefined) removePrivate(state, link, found);
  else {
    const dirFd = state.fds.get(parent);
    const last = lastNameOf(state, link, dirFd);
    removeDirectory(dirFd, name);
    state.owners.remove(last);
    dropLeftovers(state, link);
  }
  state.nodes.detach(link);
  return emptyReply();
}

/** @returns what is there, if it needs to be known, and where it changes, after the policy allowed `operation`; @throws ENOENT */
export function requireExisting(
  state: ServerState,
  link: Link,
  operation: WorkspaceOperation,
): { found: Found | undefined; area: Where } {
  if (!state.gate.active && state.layers.isOff) return { found: undefined, area: 'host' };
  const found = peek(state, link) ?? fail('ENOENT');
  const { kind, identity, where } = found;
  return { found, area: areaOf(state, link, { kind, identity, where, operation }) };
}

/** @returns the identity of a file that goes with this name, if owners or bits are kept for it and it is not open */
export function lastNameOf({ owners }: ServerState, { parent, name }: Link, dirFd: number): string | undefined {
  if (owners.isEmpty) return undefined;
  const stat = statIfPresent(dirFd, name);
  if (stat === undefined || owners.get(stat.identity) === undefined) return undefined;
  const open = (parent.children?.get(name)?.handles?.size ?? 0) > 0;
  return !open && (stat.nlink === 1 || kindOfMode(stat.mode) === 'directory') ? stat.identity : undefined;
}
