/** Finds the file of a node on the host again, and checks that it is the same file. */
import { Errno, fail, isErrno } from '../sys/errno.ts';
import { closeFd, reopen, statFd } from '../sys/files.ts';
import { O_PATH } from '../sys/flags.ts';
import { openAt, statIfPresent } from '../sys/names.ts';
import type { Stat } from '../sys/stat.ts';
import type { Node } from '../tables/node.ts';
import type { ServerState } from '../tables/state.ts';

interface Located {
  dirFd: number;
  name: string;
  stat: Stat;
}

/** @returns the first name under which the node's file still lies; @throws ESTALE */
export function locate(state: ServerState, node: Node): Located {
  for (const { parent, name } of node.links) {
    const dirFd = usable(() => state.fds.get(parent));
    const stat = dirFd === undefined ? undefined : statIfPresent(dirFd, name);
    if (dirFd !== undefined && stat?.identity === node.identity) return { dirFd, name, stat };
  }
  return fail('ESTALE');
}

/** Attributes of the node's file, also when it is open and has no name any more */
export function statNode(state: ServerState, node: Node): Stat {
  const fd = openFdOf(node);
  if (fd !== undefined) return statFd(fd);
  if (node.kind === 'directory') return statFd(state.fds.get(node));
  return locate(state, node).stat;
}

/** Opens the node's own file. The caller closes it. @throws ESTALE if another file lies there now */
export function openNode(state: ServerState, node: Node, flags: number): number {
  if (node.kind === 'directory') return openAt(state.fds.get(node), '.', flags);
  const found = usable(() => locate(state, node));
  const open = openFdOf(node);
  if (found === undefined) return open === undefined ? fail('ESTALE') : reopen(open, flags);
  const fd = openAt(found.dirFd, found.name, flags);
  if (statFd(fd).identity === node.identity) return fd;
  closeFd(fd);
  return fail('ESTALE');
}

/** A descriptor for a change of metadata */
interface NodeFd {
  fd: number;
  /** O_PATH: not good for every call */
  pathOnly: boolean;
}

/** Runs `use` with a descriptor of the node's own file. */
export function withNodeFd<T>(state: ServerState, node: Node, use: (open: NodeFd) => T): T {
  const open = openFdOf(node);
  if (open !== undefined) return use({ fd: open, pathOnly: false });
  if (node.kind === 'directory') return use({ fd: state.fds.get(node), pathOnly: true });
  return withFd(openNode(state, node, O_PATH), (fd) => use({ fd, pathOnly: true }));
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
