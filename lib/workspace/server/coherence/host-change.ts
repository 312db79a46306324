/** Finds what the guest's kernel may cache of what the host changed. */
import { isOwn } from '../../layer/items.ts';
import { IN } from '../../watch/inotify.ts';
import type { Invalidation } from '../fuse/notify.ts';
import { Errno } from '../sys/errno.ts';
import { statIfPresent } from '../sys/names.ts';
import { type FileKind, fileOf, kindOfMode, type Stat } from '../sys/stat.ts';
import type { Link, Node } from '../tables/node.ts';
import type { Verdict } from '../tables/policy.ts';
import type { ServerState } from '../tables/state.ts';
import { stalePrivateBelow } from './private-cache.ts';

/** A change of the host that programs inside may watch for; never of a hidden name */
export interface HostEdit {
  type: 'created' | 'removed' | 'content' | 'attributes';
  folder: Node;
  name: string;
  kind: FileKind;
  /** The file that the guest's kernel knows or knew there */
  node: Node | undefined;
  /** Joins the two halves of a rename; 0 for others */
  cookie: number;
}

interface Change {
  folder: Node;
  /** Empty for the folder itself */
  name: string;
  /** All events since the last call */
  mask: number;
  cookie: number;
  /** The folder's own place is to be checked again */
  isFirst: boolean;
  /** The kernel may remember the name as missing */
  wasMissing: boolean;
}

interface Judged {
  invalidations: Invalidation[];
  edit: HostEdit | undefined;
}

/**
 * Also closes the descriptor of a folder there, so that its path is walked again.
 * @param names from the root, bytes as latin1 strings
 */
export function invalidationsOf({ nodes, fds }: ServerState, root: string, names: string[]): Invalidation[] {
  const found: Invalidation[] = [];
  let node = nodes.rootNamed(root);
  for (const [index, name] of names.entries()) {
    if (node === undefined) return [];
    if (index === names.length - 1)
      found.push({ type: 'entry', parent: node.id, name }, { type: 'inode', node: node.id });
    node = node.children?.get(name);
  }
  if (node === undefined) return found;
  fds.forget(node);
  return [...found, { type: 'inode', node: node.id }];
}

/** @returns 'unreachable' for a folder that the host has moved away */
export function judgeChange(state: ServerState, change: Change): Judged | 'unreachable' {
  const { folder, name } = change;
  try {
    // Walked again: of a folder that left the root, no name may come out.
    if (change.isFirst) state.fds.forget(folder);
    const fd = state.fds.get(folder);
    return name === '' ? { invalidations: [], edit: undefined } : judgeName(state, change, statIfPresent(fd, name));
  } catch (error) {
    if (error instanceof Errno) return 'unreachable';
    throw error;
  }
}

function judgeName(state: ServerState, change: Change, stat: Stat | undefined): Judged {
  const { folder, name, mask, cookie, wasMissing } = change;
  const node = folder.children?.get(name);
  const same = node !== undefined && node.identity === stat?.identity;
  const kind = stat === undefined ? (node?.kind ?? removedKind(mask)) : kindOfMode(stat.mode);
  const verdict = state.gate.verdict({ parent: folder, name }, fileOrKind(stat, kind), 'lookup');
  if (isGuestsOwn(state, { parent: folder, name }, verdict)) return { invalidations: [], edit: undefined };
  const isHidden = verdict === 'hidden';
  const edit = (type: HostEdit['type']) => (isHidden ? undefined : { type, folder, name, kind, node, cookie });
  if (same) {
    const isContent = (mask & (IN.MODIFY | IN.CLOSE_WRITE)) !== 0;
    const invalidation: Invalidation = isContent
      ? { type: 'inode', node: node.id }
      : { type: 'inode', node: node.id, offset: -1 };
    return { invalidations: [invalidation], edit: edit(isContent ? 'content' : 'attributes') };
  }
  if (node !== undefined) state.fds.forget(node);
  // A name that the kernel does not hold is not sent: there would be no end of them, and some are hidden.
  const invalidations: Invalidation[] =
    node !== undefined || (wasMissing && !isHidden) ? [{ type: 'entry', parent: folder.id, name }] : [];
  if (node !== undefined)
    invalidations.push(
      ...(node.where === 'layer' ? stalePrivateBelow(node) : [{ type: 'inode' as const, node: node.id }]),
    );
  if (stat !== undefined) return { invalidations, edit: edit(typeOfNew(mask, node)) };
  // Came and went: it was never there for the guest.
  const isBrief = node === undefined && (mask & (IN.CREATE | IN.MOVED_TO)) !== 0;
  return { invalidations, edit: isBrief ? undefined : edit('removed') };
}

/** The guest sees its private layer there, or that it has removed the name: see `find`. */
function isGuestsOwn({ layers }: ServerState, link: Link, verdict: Verdict): boolean {
  if (layers.placeOf(link) === undefined) return false;
  const item = layers.itemAt(link);
  if (link.parent.where === 'layer' || (isOwn(item) && (item.is !== 'folder' || item.isOpaque))) return true;
  return verdict === 'private-only' || (verdict === 'private' && item?.is === 'whiteout');
}

function removedKind(mask: number): FileKind {
  return (mask & IN.ISDIR) === 0 ? 'file' : 'directory';
}

/** A file that the guest has not looked at is new only if its name is. */
function typeOfNew(mask: number, node: Node | undefined): HostEdit['type'] {
  if (node !== undefined || (mask & (IN.CREATE | IN.MOVED_TO)) !== 0) return 'created';
  return (mask & (IN.MODIFY | IN.CLOSE_WRITE)) === 0 ? 'attributes' : 'content';
}

function fileOrKind(stat: Stat | undefined, kind: FileKind) {
  return stat === undefined ? { kind } : fileOf(stat);
}

/** Everything that the kernel may hold of a folder. The entries of folders stay: dropping one would unmount what is mounted below it. */
export function staleOf({ fds }: ServerState, folder: Node, missing: Iterable<string>): Invalidation[] {
  const found: Invalidation[] = [];
  for (const name of missing) found.push({ type: 'entry', parent: folder.id, name });
  for (const [name, node] of folder.children ?? []) {
    if (node.kind === 'directory') fds.forget(node);
    else found.push({ type: 'entry', parent: folder.id, name });
    found.push({ type: 'inode', node: node.id });
  }
  return [...found, { type: 'inode', node: folder.id }];
}
