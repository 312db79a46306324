/** Keeps a folder usable that is about to be removed: a process inside may have it as its current folder. */
import { Errno } from '../sys/errno.ts';
import { duplicate } from '../sys/files.ts';
import type { Link, Node } from '../tables/node.ts';
import type { ServerState } from '../tables/state.ts';

/** Call it before what lies at `link` is removed or replaced. Its descriptor is kept once it has no name and is gone from the disk. */
export function holdFolder(state: ServerState, { parent, name }: Link): void {
  const node = parent.children?.get(name);
  if (node?.kind !== 'directory' || node.root !== undefined) return;
  try {
    if (node.where === 'host') state.fds.get(node);
    else holdPrivate(state, node);
  } catch (error) {
    // The removal itself says what is wrong.
    if (!(error instanceof Errno)) throw error;
  }
}

function holdPrivate({ fds, layers }: ServerState, node: Node): void {
  const found = layers.folderOf(node);
  if (found !== undefined) fds.adopt(node, duplicate(found.layer.fd(found.folder)));
}
