/** Reading folders: OPENDIR, READDIR, READDIRPLUS, RELEASEDIR. Without OPENDIR, a folder whose entries the kernel holds is read without a request. */
import type { Decoded } from '../fuse/decode.ts';
import { type DirectoryEntry, DirectoryReply } from '../fuse/directory-reply.ts';
import { emptyReply, FOPEN_CACHE_DIR, FOPEN_KEEP_CACHE, openReply, type Reply } from '../fuse/encode.ts';
import { MAX_WRITE } from '../fuse/limits.ts';
import { find } from '../overlay/find.ts';
import { readListing } from '../overlay/listing.ts';
import { openNode } from '../overlay/resolve.ts';
import { isTop, statTop } from '../overlay/top.ts';
import { Errno, fail } from '../sys/errno.ts';
import { closeFd } from '../sys/files.ts';
import { O_DIRECTORY, O_RDONLY } from '../sys/flags.ts';
import { idOf, indexOf, offsetOf } from '../tables/kept-listings.ts';
import { entryAt, kindOfEntry, type ListedEntry, type Listing } from '../tables/listing.ts';
import type { Handle, Node } from '../tables/node.ts';
import type { ServerState } from '../tables/state.ts';
import type { Call } from './call.ts';
import { entryOf, rememberEntry } from './entry.ts';

const DT_DIR = 4;

export function opendir({ state, node }: Call): Reply {
  if (node.kind !== 'directory') return fail('ENOTDIR');
  if (state.readsUnopened) return fail('ENOSYS');
  if (isTop(node)) return openReply(0, 0);
  state.gate.requireNode(node, 'read');
  state.handles.requireRoom();
  const fd = openNode(state, node, O_RDONLY | O_DIRECTORY);
  const handle = state.handles.add({ node, fd, flags: O_RDONLY, kind: 'directory' });
  return openReply(handle.id, cacheFlags(state));
}

function cacheFlags({ keepCache, lifetimes }: ServerState): number {
  if (keepCache) return FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE;
  return lifetimes.entrySeconds > 0 ? FOPEN_CACHE_DIR : 0;
}

export function readdir(call: Call, request: Decoded['READDIR']): Reply {
  return list(call, request, false);
}

/** Each entry but `.` and `..` counts as one lookup of its node. */
export function readdirplus(call: Call, request: Decoded['READDIRPLUS']): Reply {
  return list(call, request, true);
}

export function releasedir({ state, node }: Call, { handle }: Decoded['RELEASEDIR']): Reply {
  if (!isTop(node)) state.handles.release(handle, node);
  state.nodes.dropUnused(node);
  return emptyReply();
}

function list({ state, node }: Call, { handle, offset, size }: Decoded['READDIR'], plus: boolean): Reply {
  if (size > MAX_WRITE) return fail('EINVAL');
  if (isTop(node)) return listTop(node, offset, { state, size, plus });
  const opened = handle === 0 && state.readsUnopened ? undefined : state.handles.get(handle, node, 'directory');
  state.gate.requireNode(node, 'read');
  const {
    listing,
    id,
    index: first,
  } = opened === undefined ? unopened(state, node, offset) : listingOf(state, opened, offset);
  const reply = new DirectoryReply(size, plus);
  for (let index = first; ; index++) {
    const listed = entryAt(listing, index);
    if (listed === undefined) break;
    if (isHidden(state, { parent: node, listed, isOwn: index >= listing.ownFrom })) continue;
    if (!reply.hasRoom(listed.name)) return reply.finish();
    const next = offsetOf(id, index + 1);
    reply.add({ ...listed, offset: next }, plus ? lookupEntry(state, node, listed) : undefined);
  }
  if (reply.isEmpty) endOf(state, opened, offset);
  return reply.finish();
}

/** A listing, its number in the offsets, and the index of the entry at an offset */
interface Position {
  listing: Listing;
  id: number;
  index: number;
}

function unopened(state: ServerState, node: Node, offset: number): Position {
  const index = indexOf(offset);
  const known = offset === 0 ? undefined : state.listings.find(node, offset);
  if (known !== undefined) return { listing: known, id: idOf(offset), index };
  return { ...state.listings.add(node, () => readUnopened(state, node)), index };
}

function readUnopened(state: ServerState, node: Node): Listing {
  const fd = openNode(state, node, O_RDONLY | O_DIRECTORY);
  try {
    return readListing(state, node, fd);
  } finally {
    closeFd(fd);
  }
}

/** Reads the folder at offset 0, and again where the entries were given up or lost by a restart. */
function listingOf(state: ServerState, opened: Handle & { fd: number }, offset: number): Position {
  if (opened.listing === undefined || offset === 0) {
    state.handles.listings.free(opened.listing);
    opened.listing = undefined;
    opened.listing = readListing(state, opened.node, opened.fd);
  }
  return { listing: opened.listing, id: 0, index: offset };
}

function endOf(state: ServerState, opened: Handle | undefined, offset: number): void {
  if (opened === undefined) state.listings.drop(offset);
  else {
    state.handles.listings.free(opened.listing);
    opened.listing = undefined;
  }
}

function isHidden(
  { gate, layers }: ServerState,
  { parent, listed, isOwn }: { parent: Node; listed: ListedEntry; isOwn: boolean },
): boolean {
  if (!gate.active || isDots(listed.name)) return false;
  const link = { parent, name: listed.name };
  const verdict = gate.verdict(link, { kind: kindOfEntry(listed) }, 'list');
  return verdict === 'hidden' || (verdict === 'private-only' && !isOwn && layers.placeOf(link) !== undefined);
}

/** @returns undefined for an entry that is gone again or does not fit into the table: the kernel looks it up when needed */
function lookupEntry(state: ServerState, parent: Node, { name }: ListedEntry) {
  if (isDots(name)) return undefined;
  try {
    const found = find(state, { parent, name });
    return found === undefined ? undefined : rememberEntry(state, { parent, name }, found).entry;
  } catch (error) {
    if (error instanceof Errno) return undefined;
    throw error;
  }
}

function listTop(
  top: Node,
  offset: number,
  { state, size, plus }: { state: ServerState; size: number; plus: boolean },
) {
  const reply = new DirectoryReply(size, plus);
  const roots = [...(top.children ?? [])];
  const dots: [string, Node][] = [
    ['.', top],
    ['..', top],
  ];
  for (const [index, [name, node]] of [...dots, ...roots].entries()) {
    if (index < offset) continue;
    if (!reply.hasRoom(name)) break;
    const stat = statTop(node);
    const entry: DirectoryEntry = { ino: stat.ino, type: DT_DIR, name, offset: index + 1 };
    if (plus && !isDots(name)) node.lookups++;
    reply.add(entry, plus && !isDots(name) ? entryOf(state, node, stat) : undefined);
  }
  return reply.finish();
}

function isDots(name: string): boolean {
  return name === '.' || name === '..';
}
