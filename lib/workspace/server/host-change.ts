/** Finds what the guest's kernel may cache of a path that the host changed. */
import type { Invalidation } from './fuse/notify.ts';
import type { ServerState } from './tables/state.ts';

/**
 * Also closes the descriptor of a folder there, so that its path is walked again.
 * @param names from the root, bytes as latin1 strings
 */
export function invalidationsOf({ nodes, fds }: ServerState, root: string, names: string[]): Invalidation[] {
  const found: Invalidation[] = [];
  let node = nodes.rootNamed(root);
  for (const [index, name] of names.entries()) {
    if (node === undefined) return [];
    if (index === names.length - 1) found.push({ type: 'entry', parent: node.id, name });
    node = node.children?.get(name);
  }
  if (node === undefined) return found;
  fds.forget(node);
  return [...found, { type: 'inode', node: node.id }];
}
