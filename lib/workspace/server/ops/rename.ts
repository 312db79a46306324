/** Moves names: RENAME, RENAME2. */
import type { Decoded } from '../fuse/decode.ts';
import { emptyReply, type Reply } from '../fuse/encode.ts';
import { areaOf } from '../overlay/areas.ts';
import { type Found, peek } from '../overlay/find.ts';
import { isEmptyFolder } from '../overlay/remove-private.ts';
import { exchangePrivate, moveIntoLayer, movePrivate, prepareFollow, prepareSwap } from '../overlay/rename-private.ts';
import { fail } from '../sys/errno.ts';
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from '../sys/flags.ts';
import { renameAt } from '../sys/names.ts';
import type { Link, Node } from '../tables/node.ts';
import type { PolicyFile } from '../tables/policy.ts';
import type { ServerState } from '../tables/state.ts';
import type { Call } from './call.ts';
import { holdFolder } from './hold-folder.ts';
import { lastNameOf, requireExisting } from './remove.ts';

/** NOREPLACE and EXCHANGE are done by the host's kernel, too. */
export function rename({ state, node: parent }: Call, request: Decoded['RENAME2']): Reply {
  const { name, newName, flags } = request;
  if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) !== 0) return fail('EINVAL');
  const from = { parent, name };
  const to = { parent: state.nodes.get(request.newParent), name: newName };
  const source = requireExisting(state, from, 'rename-from');
  const file = policyFile(source.found);
  if ((flags & RENAME_EXCHANGE) !== 0) exchange(state, { from, to, source });
  else {
    const arriving = areaOf(state, to, { ...file, operation: 'rename-to' });
    // A special file is the layer's wherever it goes.
    const isSpecial = source.area === 'layer' && file.kind === 'other';
    move(state, { from, to, source, arriving: isSpecial ? 'layer' : arriving, flags });
  }
  return emptyReply();
}

type Existing = ReturnType<typeof requireExisting>;

interface Move {
  from: Link;
  to: Link;
  source: Existing;
  arriving: Existing['area'];
  flags: number;
}

function move(state: ServerState, { from, to, source, arriving, flags }: Move): void {
  const { found } = source;
  holdFolder(state, to);
  if (found === undefined || (source.area === 'host' && arriving === 'host'))
    moveOnHost(state, { from, to, found, flags });
  else moveWithLayer(state, { from, to, source: { ...source, found }, arriving, flags });
}

function moveWithLayer(
  state: ServerState,
  { from, to, source: { found, area }, arriving, flags }: Move & { source: { found: Found } },
): void {
  requireApart(from, to);
  if (area === 'layer' && arriving === 'host') fail('EXDEV');
  const target = peek(state, to);
  if (target !== undefined && (flags & RENAME_NOREPLACE) !== 0) fail('EEXIST');
  if (target?.identity === found.identity) return;
  if (target !== undefined) requireReplaceable(state, found, { link: to, target });
  if (area === 'layer') movePrivate(state, { from, to, found, target });
  else moveIntoLayer(state, { from, to, found, target });
}

function moveOnHost(
  state: ServerState,
  { from, to, found, flags }: { from: Link; to: Link; found: Found | undefined; flags: number },
): void {
  state.gate.requireRename(from, to, policyFile(found));
  const [oldDirFd, newDirFd] = [state.fds.get(from.parent), state.fds.get(to.parent)];
  // To its own name: the host does nothing, and what the layer has below it stays.
  const isSame = from.parent === to.parent && from.name === to.name;
  const isFolder = found?.kind === 'directory' && !isSame;
  const replaces = isFolder && state.layers.itemAt(to) !== undefined;
  if (replaces && !isEmptyFolder(state, to, { where: 'host', ignoresHost: true })) fail('ENOTEMPTY');
  const last = flags === 0 ? lastNameOf(state, to, newDirFd) : undefined;
  const follow = isFolder ? prepareFollow(state, from, to) : undefined;
  renameAt({ oldDirFd, oldName: from.name, newDirFd, newName: to.name, flags });
  follow?.();
  state.nodes.move(from, to);
  state.owners.remove(last);
}

/** Both are the host's, or both the layer's: then one system call swaps them. */
function exchange(state: ServerState, { from, to, source }: { from: Link; to: Link; source: Existing }): void {
  const other = requireExisting(state, to, 'rename-from');
  const [one, two] = [policyFile(source.found), policyFile(other.found)];
  const areas = new Set([
    source.area,
    other.area,
    areaOf(state, from, { ...two, operation: 'rename-to' }),
    areaOf(state, to, { ...one, operation: 'rename-to' }),
  ]);
  if (!state.layers.isOff && (isAbove(from, to) || isAbove(to, from))) fail('EINVAL');
  if (areas.size > 1) fail('EXDEV');
  const allowed = areas.has('layer') ? 'private' : 'pass';
  state.gate.requireRename(to, from, { ...two, allowed });
  state.gate.requireRename(from, to, { ...one, allowed });
  // Two names of one file: nothing would change.
  if (one.identity !== undefined && one.identity === two.identity) return;
  if (allowed === 'private' && source.found !== undefined && other.found !== undefined)
    exchangePrivate(state, { link: from, found: source.found }, { link: to, found: other.found });
  else exchangeOnHost(state, from, to);
  state.nodes.exchange(from, to);
}

function exchangeOnHost(state: ServerState, from: Link, to: Link): void {
  const [oldDirFd, newDirFd] = [state.fds.get(from.parent), state.fds.get(to.parent)];
  const follow = prepareSwap(state, from, to);
  renameAt({ oldDirFd, oldName: from.name, newDirFd, newName: to.name, flags: RENAME_EXCHANGE });
  follow();
}

/** As Linux: no folder is moved below itself, and none that the other is below is replaced. */
function requireApart(from: Link, to: Link): void {
  if (isAbove(from, to)) fail('EINVAL');
  if (isAbove(to, from)) fail('ENOTEMPTY');
}

function isAbove({ parent, name }: Link, below: Link): boolean {
  const folder = parent.children?.get(name);
  for (let up: Node | undefined = below.parent; up !== undefined; up = up.links[0]?.parent)
    if (up === folder) return true;
  return false;
}

function requireReplaceable(
  state: ServerState,
  { kind }: Found,
  { link, target }: { link: Link; target: Found },
): void {
  if (kind === 'directory' && target.kind !== 'directory') fail('ENOTDIR');
  if (kind !== 'directory' && target.kind === 'directory') fail('EISDIR');
  if (target.kind !== 'directory') return;
  if (!isEmptyFolder(state, link, { where: target.where, ignoresHost: false })) fail('ENOTEMPTY');
}

function policyFile(found: Found | undefined): PolicyFile {
  return found === undefined ? { kind: 'unknown' } : { kind: found.kind, identity: found.identity };
}
