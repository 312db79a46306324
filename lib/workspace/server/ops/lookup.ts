/** Finds names: LOOKUP, FORGET, READLINK. */
import type { Decoded } from '../fuse/decode.ts';
import { bytesReply, entryReply, type Reply } from '../fuse/encode.ts';
import { find } from '../overlay/find.ts';
import { locate } from '../overlay/resolve.ts';
import { findRoot, isTop, statTop } from '../overlay/top.ts';
import { fail } from '../sys/errno.ts';
import { readLinkAt } from '../sys/names.ts';
import type { ServerState } from '../tables/state.ts';
import type { Call } from './call.ts';
import { entryOf, rememberEntry } from './entry.ts';

export function lookup({ state, node: parent }: Call, { name }: Decoded['LOOKUP']): Reply {
  if (isTop(parent)) {
    const root = findRoot(parent, name) ?? fail('ENOENT');
    root.lookups++;
    return entryReply(entryOf(state, root, statTop(root)));
  }
  const link = { parent, name };
  const found = find(state, link);
  if (found !== undefined) return entryReply(rememberEntry(state, link, found).entry);
  state.nodes.detach(link);
  return missing(state);
}

/** The kernel may remember that a name does not exist, if the options allow it. */
function missing({ lifetimes }: ServerState): Reply {
  if (lifetimes.missingSeconds === 0) return fail('ENOENT');
  return entryReply({ node: 0, attributes: undefined, entrySeconds: lifetimes.missingSeconds, attributeSeconds: 0 });
}

export function forget({ state, node }: Call, { lookups }: Decoded['FORGET']): void {
  state.nodes.forget(node, lookups);
}

/** Ignores unknown nodes: there is no reply that could say so. */
export function batchForget(state: ServerState, { forgets }: Decoded['BATCH_FORGET']): void {
  for (const { node, lookups } of forgets) {
    const known = state.nodes.find(node);
    if (known !== undefined) state.nodes.forget(known, lookups);
  }
}

export function readlink({ state, node }: Call): Reply {
  if (node.kind !== 'symlink') return fail('EINVAL');
  state.gate.requireNode(node, 'read');
  const { dirFd, name } = locate(state, node);
  return bytesReply(readLinkAt(dirFd, name));
}
