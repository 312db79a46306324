/** Answers the process that repeats the host's changes inside: as if it had made them, and without touching the host. */

import { DECODERS } from '../fuse/decode.ts';
import { attributesReply, createReply, emptyReply, entryReply, openReply } from '../fuse/encode.ts';
import { IN_HEADER_SIZE, type RequestHeader } from '../fuse/frames.ts';
import { OPCODES } from '../fuse/opcodes.ts';
import { BodyReader } from '../fuse/reader.ts';
import { getattr } from '../ops/attributes.ts';
import { rememberEntry } from '../ops/entry.ts';
import { openFile } from '../ops/files.ts';
import { find } from '../overlay/find.ts';
import { fail } from '../sys/errno.ts';
import { O_RDONLY } from '../sys/flags.ts';
import { type Link, ROOT_NODE_ID } from '../tables/node.ts';
import type { ServerState } from '../tables/state.ts';
import type { Answer } from './coherence.ts';
import type { Order } from './order.ts';
import { lastStat, removedNode } from './removed-node.ts';

export interface Repeats {
  state: ServerState;
  outstanding: Map<number, Order>;
  finished(number: number): void;
}

/** The process looks this name up after each order. */
const FINISHED = /^\.sbx-event-(\d{1,15})$/;

const TO_READ = { flags: O_RDONLY, endsPrivileges: false };
const UNCACHED = { entrySeconds: 0, attributeSeconds: 0 };

/** Requests that change nothing: they are answered like those of any process. */
const READING: ReadonlySet<number> = new Set([
  OPCODES.FORGET,
  OPCODES.BATCH_FORGET,
  OPCODES.IOCTL,
  OPCODES.READLINK,
  OPCODES.OPENDIR,
  OPCODES.READDIR,
  OPCODES.READDIRPLUS,
  OPCODES.RELEASEDIR,
  OPCODES.RELEASE,
  OPCODES.FLUSH,
  OPCODES.STATFS,
  OPCODES.ACCESS,
  OPCODES.INTERRUPT,
  OPCODES.GETXATTR,
]);

type Repeat = (repeats: Repeats, header: RequestHeader, body: BodyReader) => Answer | 'other';

const REPEATS = new Map<number, Repeat>([
  [OPCODES.LOOKUP, (repeats, header, body) => lookup(repeats, placeOf(repeats, header, DECODERS.LOOKUP(body)))],
  [OPCODES.GETATTR, attributes],
  [OPCODES.CREATE, (repeats, header, body) => create(repeats, placeOf(repeats, header, DECODERS.CREATE(body)))],
  [OPCODES.MKDIR, (repeats, header, body) => make(repeats, 'D', placeOf(repeats, header, DECODERS.MKDIR(body)))],
  [OPCODES.SYMLINK, (repeats, header, body) => make(repeats, 'L', placeOf(repeats, header, DECODERS.SYMLINK(body)))],
  [OPCODES.UNLINK, (repeats, header, body) => remove(repeats, 'U', placeOf(repeats, header, DECODERS.UNLINK(body)))],
  [OPCODES.RMDIR, (repeats, header, body) => remove(repeats, 'R', placeOf(repeats, header, DECODERS.RMDIR(body)))],
  [OPCODES.RENAME, (repeats, header, body) => rename(repeats, header, DECODERS.RENAME(body))],
  [OPCODES.RENAME2, (repeats, header, body) => rename(repeats, header, DECODERS.RENAME2(body))],
  // To read, whatever was asked for: the descriptor cannot change the file.
  [OPCODES.OPEN, ({ state }, header) => openReply(openFile(state, state.nodes.get(header.node), TO_READ).id, 0)],
  [OPCODES.SETATTR, (repeats, header) => getattr(callOf(repeats, header), { handle: undefined })],
]);

/** @returns 'other': answer it like any request; @throws Errno EPERM for all that is no repetition */
export function answerRepeat(repeats: Repeats, header: RequestHeader, frame: Buffer): Answer | 'other' {
  if (READING.has(header.opcode)) return 'other';
  const repeat = REPEATS.get(header.opcode) ?? fail('EPERM');
  return repeat(repeats, header, new BodyReader(frame, IN_HEADER_SIZE));
}

/** A name that was made is missing until it is made inside; one that was removed is there until it is removed inside. */
function lookup(repeats: Repeats, link: Link): Answer | 'other' {
  const finished = link.parent.id === ROOT_NODE_ID ? FINISHED.exec(link.name) : null;
  if (finished !== null) {
    repeats.finished(Number(finished[1]));
    return fail('ENOENT');
  }
  for (const order of repeats.outstanding.values()) {
    const isNew = 'FDL'.includes(order.letter) ? isAt(order, link) : order.to !== undefined && isSame(order.to, link);
    if (isNew) return fail('ENOENT');
    if ('URN'.includes(order.letter) && isAt(order, link)) return removedEntry(repeats.state, order);
  }
  return 'other';
}

function removedEntry(state: ServerState, order: Order): Answer {
  const node = removedNode(state, order);
  node.lookups++;
  return entryReply({ node: node.id, attributes: state.owners.shown(lastStat(state, node)), ...UNCACHED });
}

/** A removed file has no attributes on the host any more. */
function attributes({ state, outstanding }: Repeats, header: RequestHeader): Answer | 'other' {
  for (const { letter, node } of outstanding.values())
    if (node?.id === header.node && 'URN'.includes(letter))
      return attributesReply(state.owners.shown(lastStat(state, node)), 0);
  return 'other';
}

function create(repeats: Repeats, link: Link): Answer {
  const { state } = repeats;
  orderOf(repeats, 'F', link);
  state.handles.requireRoom();
  const { node, entry } = newEntry(state, link);
  try {
    return createReply({ ...entry, ...UNCACHED }, openFile(state, node, TO_READ).id, 0);
  } catch (error) {
    state.nodes.forget(node, 1);
    throw error;
  }
}

function make(repeats: Repeats, letter: string, link: Link): Answer {
  orderOf(repeats, letter, link);
  return entryReply({ ...newEntry(repeats.state, link).entry, ...UNCACHED });
}

function remove(repeats: Repeats, letter: string, link: Link): Answer {
  const order = orderOf(repeats, letter, link);
  if (isKnownThere(order, link)) repeats.state.nodes.detach(link);
  return emptyReply();
}

function rename(
  repeats: Repeats,
  header: RequestHeader,
  request: { newParent: number; name: string; newName: string; flags: number },
): Answer {
  const from = placeOf(repeats, header, request);
  const to = { parent: repeats.state.nodes.get(request.newParent), name: request.newName };
  const order = orderOf(repeats, 'N', from);
  if (request.flags !== 0 || order.to === undefined || !isSame(order.to, to)) return fail('EPERM');
  isKnownThere(order, to);
  if (isKnownThere(order, from)) repeats.state.nodes.move(from, to);
  return emptyReply();
}

/** @throws EPERM where a program inside has made another file meanwhile: the kernel would take that one for removed */
function isKnownThere({ node }: Order, { parent, name }: Link): boolean {
  const current = parent.children?.get(name);
  if (current !== undefined && current !== node) fail('EPERM');
  return current !== undefined;
}

/** What the guest sees there now. */
function newEntry(state: ServerState, link: Link) {
  return rememberEntry(state, link, find(state, link) ?? fail('ENOENT'));
}

/** @returns the order that a request repeats; @throws EPERM: an order that was given up must change nothing either */
function orderOf(repeats: Repeats, letter: string, link: Link): Order {
  for (const order of repeats.outstanding.values()) if (order.letter === letter && isAt(order, link)) return order;
  return fail('EPERM');
}

function placeOf({ state }: Repeats, header: RequestHeader, { name }: { name: string }): Link {
  return { parent: state.nodes.get(header.node), name };
}

function callOf({ state }: Repeats, { node, uid, gid }: RequestHeader) {
  return { state, node: state.nodes.get(node), uid, gid };
}

function isAt({ folder, name }: Order, link: Link): boolean {
  return folder === link.parent && name === link.name;
}

function isSame(one: Link, other: Link): boolean {
  return one.parent === other.parent && one.name === other.name;
}
