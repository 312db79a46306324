/**
 * What the guest's kernel may keep of the private layer: no program of the host changes it, and no other guest has it. So all is kept for long. Taken
 * back is what another rule hides, what the user takes out, and what a folder of the host takes the place of.
 */
import { isOwn } from '../../layer/items.ts';
import { DECODERS } from '../fuse/decode.ts';
import { OUT_HEADER_SIZE, type Reply } from '../fuse/encode.ts';
import { IN_HEADER_SIZE, type RequestHeader } from '../fuse/frames.ts';
import type { Invalidation } from '../fuse/notify.ts';
import { OPCODES } from '../fuse/opcodes.ts';
import { BodyReader } from '../fuse/reader.ts';
import type { Node } from '../tables/node.ts';
import type { ServerState } from '../tables/state.ts';

/** Bounds how long the guest shows old names and sizes that changed while no server ran, in seconds */
export const PRIVATE_SECONDS = 60;
const PRIVATE = {
  entrySeconds: PRIVATE_SECONDS,
  attributeSeconds: PRIVATE_SECONDS,
  missingSeconds: PRIVATE_SECONDS,
};
/** A name that the layer has and the guest does not see: another rule shows it. */
const HIDDEN = { ...PRIVATE, missingSeconds: 0 };

export class PrivateCache {
  readonly #state: ServerState;
  /** Files of which the kernel holds no data from before they were private */
  readonly #opened = new WeakSet<Node>();

  constructor(state: ServerState) {
    this.#state = state;
  }

  /** Sets what is valid of the answer to a request for a node of the layer. */
  allow({ opcode }: RequestHeader, frame: Buffer, node: Node): void {
    this.#state.lifetimes = opcode === OPCODES.LOOKUP && this.#has(node, frame) ? HIDDEN : PRIVATE;
    this.#state.keepCache = this.#keeps(opcode, node);
  }

  /** Data that the kernel writes to a new file is kept for the first open of it. */
  noteNew({ opcode }: RequestHeader, reply: Reply | undefined | Promise<Reply>): void {
    if (opcode !== OPCODES.CREATE || !Buffer.isBuffer(reply) || reply.length <= OUT_HEADER_SIZE) return;
    const node = this.#state.nodes.find(Number(reply.readBigUInt64LE(OUT_HEADER_SIZE)));
    if (node?.where === 'layer' && node.lookups === 1) this.#opened.add(node);
  }

  #keeps(opcode: number, node: Node): boolean {
    if (opcode === OPCODES.OPENDIR) return true;
    if (opcode !== OPCODES.OPEN || node.kind !== 'file') return false;
    const isKnown = this.#opened.has(node);
    this.#opened.add(node);
    return isKnown;
  }

  #has(parent: Node, frame: Buffer): boolean {
    const { name } = DECODERS.LOOKUP(new BodyReader(frame, IN_HEADER_SIZE));
    return parent.links.length > 0 && isOwn(this.#state.layers.itemAt({ parent, name }));
  }
}

/** Everything that the kernel may hold of the private layer. The entries of folders stay, as in `staleOf`: what is in them is asked for again. */
export function stalePrivate({ nodes }: ServerState): Invalidation[] {
  return [...nodes.all()].filter(({ where }) => where === 'layer').flatMap(staleNode);
}

/** The same of one folder of the layer, and of all below it */
export function stalePrivateBelow(folder: Node): Invalidation[] {
  const found: Invalidation[] = [];
  const waiting = [folder];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    found.push(...staleNode(node));
    waiting.push(...(node.children?.values() ?? []));
  }
  return found;
}

/** Everything that the kernel may hold of a session that was saved: the host had no watch meanwhile. */
export function staleAll({ nodes }: ServerState): Invalidation[] {
  return [...nodes.all()].flatMap(staleNode);
}

function staleNode({ id, kind, links }: Node): Invalidation[] {
  const names = kind === 'directory' ? [] : links;
  return [
    ...names.map(({ parent, name }): Invalidation => ({ type: 'entry', parent: parent.id, name })),
    { type: 'inode', node: id },
  ];
}
