/** The folder above several roots: it lists them, and nothing in it can change. */
import { statFd } from '../sys/files.ts';
import { S_IFDIR } from '../sys/flags.ts';
import type { Stat } from '../sys/stat.ts';
import { type Node, ROOT_NODE_ID } from '../tables/node.ts';

export function isTop(node: Node): boolean {
  return node.id === ROOT_NODE_ID && node.root === undefined;
}

export function findRoot(top: Node, name: string): Node | undefined {
  return top.children?.get(name);
}

const EPOCH = { seconds: 0, nanoseconds: 0 };

/** Attributes of the folder itself, or of one of its roots */
export function statTop(node: Node): Stat {
  if (node.root !== undefined) return statFd(node.root.fd);
  return {
    identity: node.identity,
    ino: 1n,
    mode: S_IFDIR | 0o555,
    nlink: 2 + (node.children?.size ?? 0),
    uid: 0,
    gid: 0,
    size: 0,
    blocks: 0,
    blockSize: 4096,
    rdev: 0,
    atime: EPOCH,
    mtime: EPOCH,
    ctime: EPOCH,
  };
}
