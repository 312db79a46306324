/** Takes names away: UNLINK, RMDIR, RENAME. */

import type { WorkspaceOperation } from '../../policy/types.ts';
import type { Decoded } from '../fuse/decode.ts';
import { emptyReply, type Reply } from '../fuse/encode.ts';
import { fail } from '../sys/errno.ts';
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from '../sys/flags.ts';
import { removeDirectory, renameAt, statIfPresent, unlinkAt } from '../sys/names.ts';
import { fileOf, kindOfMode } from '../sys/stat.ts';
import type { Link } from '../tables/node.ts';
import type { PolicyFile } from '../tables/policy.ts';
import type { ServerState } from '../tables/state.ts';
import type { Call } from './call.ts';

export function unlink({ state, node: parent }: Call, { name }: Decoded['UNLINK']): Reply {
  const dirFd = state.fds.get(parent);
  requireExisting(state, { parent, name }, { dirFd, operation: 'remove' });
  const last = lastNameOf(state, { parent, name }, dirFd);
  unlinkAt(dirFd, name);
  state.nodes.detach({ parent, name });
  state.owners.remove(last);
  return emptyReply();
}

export function rmdir({ state, node: parent }: Call, { name }: Decoded['RMDIR']): Reply {
  const dirFd = state.fds.get(parent);
  requireExisting(state, { parent, name }, { dirFd, operation: 'remove' });
  const last = lastNameOf(state, { parent, name }, dirFd);
  removeDirectory(dirFd, name);
  state.nodes.detach({ parent, name });
  state.owners.remove(last);
  return emptyReply();
}

/** RENAME and RENAME2: NOREPLACE and EXCHANGE are done by the host's kernel, too. */
export function rename({ state, node: parent }: Call, request: Decoded['RENAME2']): Reply {
  const { name, newName, flags } = request;
  if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) !== 0) return fail('EINVAL');
  const newParent = state.nodes.get(request.newParent);
  const oldDirFd = state.fds.get(parent);
  const newDirFd = newParent === parent ? oldDirFd : state.fds.get(newParent);
  const from = { parent, name };
  const to = { parent: newParent, name: newName };
  const file = requireExisting(state, from, { dirFd: oldDirFd, operation: 'rename-from' });
  if ((flags & RENAME_EXCHANGE) !== 0) {
    const other = requireExisting(state, to, { dirFd: newDirFd, operation: 'rename-from' });
    state.gate.requireName(from, other, 'rename-to');
    state.gate.requireRename(to, from, other);
  }
  state.gate.requireName(to, file, 'rename-to');
  state.gate.requireRename(from, to, file);
  const last = flags === 0 ? lastNameOf(state, to, newDirFd) : undefined;
  renameAt({ oldDirFd, oldName: name, newDirFd, newName, flags });
  if ((flags & RENAME_EXCHANGE) === 0) state.nodes.move(from, to);
  else state.nodes.exchange(from, to);
  state.owners.remove(last);
  return emptyReply();
}

/** @returns the file that is there, after the policy allowed `operation`; @throws ENOENT */
function requireExisting(
  state: ServerState,
  link: Link,
  { dirFd, operation }: { dirFd: number; operation: WorkspaceOperation },
): PolicyFile {
  if (!state.gate.active) return { kind: 'unknown' };
  const file = fileOf(statIfPresent(dirFd, link.name) ?? fail('ENOENT'));
  state.gate.requireName(link, file, operation);
  return file;
}

/** @returns the identity of a file that goes with this name, if owners or bits are kept for it and it is not open */
function lastNameOf({ owners }: ServerState, { parent, name }: Link, dirFd: number): string | undefined {
  if (owners.isEmpty) return undefined;
  const stat = statIfPresent(dirFd, name);
  if (stat === undefined || owners.get(stat.identity) === undefined) return undefined;
  const open = (parent.children?.get(name)?.handles?.size ?? 0) > 0;
  return !open && (stat.nlink === 1 || kindOfMode(stat.mode) === 'directory') ? stat.identity : undefined;
}
