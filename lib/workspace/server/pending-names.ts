/** Holds requests for the content of a file back while a name of it may exist that no rule was asked about. */
import type { Reply } from './fuse/encode.ts';
import type { Opcode } from './fuse/opcodes.ts';
import { statNode } from './ops/resolve.ts';
import { Errno, fail } from './sys/errno.ts';
import type { Stat } from './sys/stat.ts';
import type { Node } from './tables/node.ts';
import { rootNameOf } from './tables/nodes.ts';
import type { ServerState } from './tables/state.ts';

/** Those that reach a file's content or attributes without a handle; a handle comes from one of them */
const REACHING: ReadonlySet<Opcode> = new Set(['OPEN', 'SETATTR', 'GETXATTR', 'LISTXATTR', 'SETXATTR', 'REMOVEXATTR']);

/** @returns undefined if nothing is to be waited for; @throws ENODEV, later, when the session ends in the meantime */
export function untilNamesAreKnown(state: ServerState, name: Opcode, node: Node): Promise<void> | undefined {
  if (state.names === undefined || node.kind !== 'file' || node.where !== 'host' || !REACHING.has(name))
    return undefined;
  const stat = statOf(state, node);
  if (stat === undefined || stat.nlink < 2) return undefined;
  return state.names.pending(rootNameOf(node), stat)?.then(() => (state.isClosed() ? fail('ENODEV') : undefined));
}

/** Runs LINK for a file: its new name is one that the rules were asked about. */
export function countingLinks(state: ServerState, target: Node | undefined, link: () => Reply): Reply {
  const before = state.names === undefined || target?.kind !== 'file' ? undefined : statOf(state, target);
  const reply = link();
  if (before === undefined || target === undefined) return reply;
  const after = statOf(state, target);
  // A link that was made in the private layer is none of the host's file.
  if (after?.identity === before.identity && after.nlink > before.nlink)
    state.names?.linked(rootNameOf(target), before);
  return reply;
}

/** Undefined: it cannot be found, as the request itself is going to see. */
function statOf(state: ServerState, node: Node): Stat | undefined {
  try {
    return statNode(state, node);
  } catch (error) {
    if (error instanceof Errno) return undefined;
    throw error;
  }
}
