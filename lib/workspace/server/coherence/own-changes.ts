/** Tells the changes that the server makes for its guest from those of the host. */

import type { FolderChange } from '../../watch/host-watches.ts';
import { IN } from '../../watch/inotify.ts';
import { DECODERS } from '../fuse/decode.ts';
import { IN_HEADER_SIZE, type RequestHeader } from '../fuse/frames.ts';
import { OPCODES } from '../fuse/opcodes.ts';
import { BodyReader } from '../fuse/reader.ts';
import type { Link, Node } from '../tables/node.ts';
import type { ServerState } from '../tables/state.ts';

/** What one request may change. Any other change that comes while it runs is the host's. */
export interface Expected {
  /** Names, each with its events */
  names: (Link & { mask: number })[];
  /** A file or folder that is changed under whatever name it has, with its events */
  node: Node | undefined;
  mask: number;
}

const NEW = IN.CREATE | IN.ATTRIB | IN.MODIFY;
const CONTENT = IN.MODIFY | IN.ATTRIB;

/** Requests that change the node of their header. A host's program that writes at the same moment closes its file later, which counts as its. */
const NODE_MASKS = new Map<number, number>([
  [OPCODES.WRITE, CONTENT],
  [OPCODES.FALLOCATE, CONTENT],
  // Without a handle, the server opens the file for the call.
  [OPCODES.SETATTR, CONTENT | IN.CLOSE_WRITE],
  [OPCODES.OPEN, CONTENT | IN.CLOSE_WRITE],
  [OPCODES.SETXATTR, IN.ATTRIB | IN.CLOSE_WRITE],
  [OPCODES.REMOVEXATTR, IN.ATTRIB | IN.CLOSE_WRITE],
  [OPCODES.RELEASE, IN.CLOSE_WRITE],
]);

/** Requests of which the header names one of two nodes */
const TWO_NODES: ReadonlySet<number> = new Set([
  OPCODES.LINK,
  OPCODES.RENAME,
  OPCODES.RENAME2,
  OPCODES.COPY_FILE_RANGE,
]);

type Find = (state: ServerState, header: RequestHeader, body: BodyReader) => Expected | undefined;

const FINDERS = new Map<number, Find>([
  [OPCODES.CREATE, (state, header, body) => named(state, header, [DECODERS.CREATE(body).name, NEW])],
  [OPCODES.MKNOD, (state, header, body) => named(state, header, [DECODERS.MKNOD(body).name, NEW | IN.CLOSE_WRITE])],
  [OPCODES.MKDIR, (state, header, body) => named(state, header, [DECODERS.MKDIR(body).name, NEW])],
  [OPCODES.SYMLINK, (state, header, body) => named(state, header, [DECODERS.SYMLINK(body).name, NEW])],
  [OPCODES.LINK, (state, header, body) => named(state, header, [DECODERS.LINK(body).name, NEW])],
  [OPCODES.UNLINK, (state, header, body) => named(state, header, [DECODERS.UNLINK(body).name, IN.DELETE])],
  [OPCODES.RMDIR, (state, header, body) => named(state, header, [DECODERS.RMDIR(body).name, IN.DELETE])],
  [OPCODES.RENAME, (state, header, body) => renamed(state, header, DECODERS.RENAME(body))],
  [OPCODES.RENAME2, (state, header, body) => renamed(state, header, DECODERS.RENAME2(body))],
  [
    OPCODES.COPY_FILE_RANGE,
    (state, _, body) => ({ names: [], node: state.nodes.find(DECODERS.COPY_FILE_RANGE(body).node), mask: CONTENT }),
  ],
]);

/** @returns undefined for a request that changes nothing on the host, or that is malformed */
export function expectedOf(state: ServerState, header: RequestHeader, frame: Buffer): Expected | undefined {
  const mask = NODE_MASKS.get(header.opcode);
  // No folder of the private layer is watched.
  if (state.nodes.find(header.node)?.where === 'layer' && !TWO_NODES.has(header.opcode)) return undefined;
  if (mask !== undefined) return { names: [], node: state.nodes.find(header.node), mask };
  const find = FINDERS.get(header.opcode);
  if (find === undefined) return undefined;
  try {
    return find(state, header, new BodyReader(frame, IN_HEADER_SIZE));
  } catch {
    return undefined;
  }
}

export function isExpected({ names, node, mask }: Expected, folder: Node, change: FolderChange): boolean {
  const kinds = change.mask & 0xffff;
  if (change.name === '') return node === folder && (kinds & ~mask) === 0;
  if (node !== undefined && folder.children?.get(change.name) === node) return (kinds & ~mask) === 0;
  return names.some((one) => one.parent === folder && one.name === change.name && (kinds & ~one.mask) === 0);
}

function named({ nodes }: ServerState, header: RequestHeader, [name, mask]: [string, number]): Expected | undefined {
  const parent = nodes.find(header.node);
  return parent === undefined ? undefined : { names: [{ parent, name, mask }], node: undefined, mask: 0 };
}

function renamed(
  { nodes }: ServerState,
  header: RequestHeader,
  request: { newParent: number; name: string; newName: string },
): Expected | undefined {
  const [parent, newParent] = [nodes.find(header.node), nodes.find(request.newParent)];
  if (parent === undefined || newParent === undefined) return undefined;
  // An exchange is two renames.
  const mask = IN.MOVED_FROM | IN.MOVED_TO;
  const names = [
    { parent, name: request.name, mask },
    { parent: newParent, name: request.newName, mask },
  ];
  return { names, node: undefined, mask: 0 };
}
