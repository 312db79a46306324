/** Open folders: OPENDIR, READDIR, READDIRPLUS, RELEASEDIR. */
import type { Decoded } from '../fuse/decode.ts';
import { type DirectoryEntry, DirectoryReply } from '../fuse/directory-reply.ts';
import { emptyReply, openReply, type Reply } from '../fuse/encode.ts';
import { MAX_WRITE } from '../fuse/limits.ts';
import { find } from '../overlay/find.ts';
import { readListing } from '../overlay/listing.ts';
import { openNode } from '../overlay/resolve.ts';
import { isTop, statTop } from '../overlay/top.ts';
import { Errno, fail } from '../sys/errno.ts';
import { O_DIRECTORY, O_RDONLY } from '../sys/flags.ts';
import { entryAt, kindOfEntry, type ListedEntry } from '../tables/listing.ts';
import type { Handle, Node } from '../tables/node.ts';
import type { ServerState } from '../tables/state.ts';
import type { Call } from './call.ts';
import { entryOf, rememberEntry } from './entry.ts';

/** FOPEN_CACHE_DIR, and FOPEN_KEEP_CACHE, without which each open drops what is cached */
const CACHE_DIR = 8 | 2;
const DT_DIR = 4;

export function opendir({ state, node }: Call): Reply {
  if (node.kind !== 'directory') return fail('ENOTDIR');
  if (isTop(node)) return openReply(0, 0);
  state.gate.requireNode(node, 'read');
  state.handles.requireRoom();
  const fd = openNode(state, node, O_RDONLY | O_DIRECTORY);
  const handle = state.handles.add({ node, fd, flags: O_RDONLY, kind: 'directory' });
  return openReply(handle.id, state.keepCache ? CACHE_DIR : 0);
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
  const opened = state.handles.get(handle, node, 'directory');
  state.gate.requireNode(node, 'read');
  const listing = listingOf(state, opened, offset);
  const reply = new DirectoryReply(size, plus);
  for (let index = offset; ; index++) {
    const listed = entryAt(listing, index);
    if (listed === undefined) break;
    if (isHidden(state, { parent: node, listed, isOwn: index >= listing.ownFrom })) continue;
    if (!reply.hasRoom(listed.name)) return reply.finish();
    reply.add({ ...listed, offset: index + 1 }, plus ? lookupEntry(state, node, listed) : undefined);
  }
  if (reply.isEmpty) {
    state.handles.listings.free(opened.listing);
    opened.listing = undefined;
  }
  return reply.finish();
}

/** Reads the folder at offset 0, and again where the entries were given up or lost by a restart. */
function listingOf(state: ServerState, opened: Handle & { fd: number }, offset: number) {
  if (opened.listing !== undefined && offset !== 0) return opened.listing;
  state.handles.listings.free(opened.listing);
  opened.listing = undefined;
  opened.listing = readListing(state, opened.node, opened.fd);
  return opened.listing;
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
