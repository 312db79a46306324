/** Holds requests back while a file may exist, not seen yet, that gives another one a name that rules are about, or names it as something to run. */
import { DECODERS } from './fuse/decode.ts';
import type { Reply } from './fuse/encode.ts';
import { IN_HEADER_SIZE } from './fuse/frames.ts';
import type { Opcode } from './fuse/opcodes.ts';
import { BodyReader } from './fuse/reader.ts';
import { statNode } from './overlay/resolve.ts';
import { Errno, fail } from './sys/errno.ts';
import { O_ACCMODE, O_RDONLY, O_TRUNC } from './sys/flags.ts';
import type { Stat } from './sys/stat.ts';
import type { Node } from './tables/node.ts';
import { rootNameOf } from './tables/nodes.ts';
import type { ServerState } from './tables/state.ts';

/** Those that reach a file's content or attributes without a handle; a handle comes from one of them */
const REACHING: ReadonlySet<Opcode> = new Set(['OPEN', 'SETATTR', 'GETXATTR', 'LISTXATTR', 'SETXATTR', 'REMOVEXATTR']);

/** Those that put something under a name where the host may run it, besides an OPEN to write */
const PLACING: ReadonlySet<Opcode> = new Set([
  'CREATE',
  'MKDIR',
  'MKNOD',
  'SYMLINK',
  'LINK',
  'RENAME',
  'RENAME2',
  'SETATTR',
]);

export interface NodeRequest {
  name: Opcode;
  node: Node;
  /** Whole */
  frame: Buffer;
}

/** @returns undefined if nothing is to be waited for; @throws ENODEV, later, when the session ends in the meantime */
export function untilNamesAreKnown(state: ServerState, request: NodeRequest): Promise<void> | undefined {
  const pending = untilWalked(state, request) ?? untilLinksAreKnown(state, request);
  return pending?.then(() => (state.isClosed() ? fail('ENODEV') : undefined));
}

/** What is written before the first walk has ended could be a hook of a repository that it has not come to. */
function untilWalked({ names }: ServerState, { name, node, frame }: NodeRequest): Promise<void> | undefined {
  const isChange = PLACING.has(name) || (name === 'OPEN' && isToWrite(frame));
  return isChange ? names?.walked(rootNameOf(node)) : undefined;
}

function isToWrite(frame: Buffer): boolean {
  const { flags } = DECODERS.OPEN(new BodyReader(frame, IN_HEADER_SIZE));
  return (flags & O_ACCMODE) !== O_RDONLY || (flags & O_TRUNC) !== 0;
}

function untilLinksAreKnown(state: ServerState, { name, node }: NodeRequest): Promise<void> | undefined {
  if (state.names === undefined || node.kind !== 'file' || node.where !== 'host' || !REACHING.has(name))
    return undefined;
  const stat = statOf(state, node);
  if (stat === undefined || stat.nlink < 2) return undefined;
  return state.names.pending(rootNameOf(node), stat);
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
