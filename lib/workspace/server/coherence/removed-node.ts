/** A file that the host has removed, for as long as the guest's kernel is to remove it, too. */
import { statNode } from '../overlay/resolve.ts';
import { Errno } from '../sys/errno.ts';
import { S_IFDIR, S_IFLNK, S_IFREG } from '../sys/flags.ts';
import type { Stat } from '../sys/stat.ts';
import type { Node } from '../tables/node.ts';
import type { ServerState } from '../tables/state.ts';
import type { Order } from './order.ts';

const EPOCH = { seconds: 0, nanoseconds: 0 };
const MODES = { file: S_IFREG | 0o644, directory: S_IFDIR | 0o755, symlink: S_IFLNK | 0o777, other: S_IFREG };

/** @returns the file that was there; where the kernel had only listed it, one of that kind to remove */
export function removedNode(state: ServerState, order: Order): Node {
  const { node, folder, name, kind } = order;
  if (node !== undefined && state.nodes.find(node.id) === node) return node;
  const made = state.nodes.create({ identity: 'removed', kind });
  state.nodes.setLastLink(made, { parent: folder, name });
  // Held until the order is finished, as any order's.
  made.lookups++;
  order.node = made;
  return made;
}

/** An open file still has attributes; others get some of their kind, which are never kept. */
export function lastStat(state: ServerState, node: Node): Stat {
  try {
    return statNode(state, node);
  } catch (error) {
    if (!(error instanceof Errno)) throw error;
  }
  return {
    ...{ identity: node.identity, ino: BigInt(node.id), mode: MODES[node.kind], nlink: 1, uid: 0, gid: 0 },
    ...{ size: 0, blocks: 0, blockSize: 4096, rdev: 0, atime: EPOCH, mtime: EPOCH, ctime: EPOCH },
  };
}
