/** Open files: OPEN, READ, WRITE, FSYNC, RELEASE, FALLOCATE, LSEEK, COPY_FILE_RANGE. */
import type { Decoded } from '../fuse/decode.ts';
import { emptyReply, FOPEN_KEEP_CACHE, offsetReply, openReply, type Reply, sizeReply } from '../fuse/encode.ts';
import { MAX_WRITE } from '../fuse/limits.ts';
import { exactReply, scratchBody } from '../fuse/scratch.ts';
import { prepareChange } from '../overlay/areas.ts';
import { openNode } from '../overlay/resolve.ts';
import { fail } from '../sys/errno.ts';
import { allocate, closeFd, copyRange, readAt, seek, setAppend, statFd, syncFd, writeAt } from '../sys/files.ts';
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  O_ACCMODE,
  O_APPEND,
  O_DIRECTORY,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
  SEEK_DATA,
  SEEK_HOLE,
} from '../sys/flags.ts';
import type { Handle, Node } from '../tables/node.ts';
import type { ServerState } from '../tables/state.ts';
import { truncate } from './attributes.ts';
import type { Call } from './call.ts';
import { endPrivileges, endPrivilegesUnlessRoot } from './privileges.ts';

/** A longer copy is done in parts: each call keeps every other request waiting. In bytes */
const COPY_MAX = 16 * 1024 * 1024;

export function open({ state, node }: Call, request: Decoded['OPEN']): Reply {
  return openReply(openFile(state, node, request).id, openFlagsFor(state));
}

/** Opens a regular file. Devices, FIFOs and sockets of the host are never opened: they could block or act. */
export function openFile(state: ServerState, node: Node, { flags, endsPrivileges }: Decoded['OPEN']): Handle {
  if (node.kind !== 'file') fail(node.kind === 'directory' ? 'EISDIR' : node.kind === 'symlink' ? 'ELOOP' : 'ENXIO');
  const access = flags & O_ACCMODE;
  if (access !== O_WRONLY) state.gate.requireNode(node, 'read');
  if (access !== O_RDONLY || (flags & O_TRUNC) !== 0) prepareChange(state, node, 'write');
  state.handles.requireRoom();
  const fd = openNode(state, node, access | (flags & O_APPEND));
  try {
    // After the check that it is the right file: an O_TRUNC of the open itself would come before it.
    if ((flags & O_TRUNC) !== 0) truncate(state, node, { size: 0, endsPrivileges });
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  return state.handles.add({ node, fd, flags, kind: 'file' });
}

export function openFlagsFor({ keepCache }: ServerState): number {
  return keepCache ? FOPEN_KEEP_CACHE : 0;
}

export function read({ state, node }: Call, { handle, offset, size }: Decoded['READ']): Reply {
  if (size > MAX_WRITE) return fail('EINVAL');
  const { fd } = state.handles.get(handle, node, 'file');
  state.gate.requireNode(node, 'read');
  const body = scratchBody(size);
  return exactReply(body.subarray(0, readAt(fd, body, offset)));
}

export function write(
  { state, node }: Call,
  { handle, offset, data, fromCache, endsPrivileges }: Decoded['WRITE'],
): Reply {
  const opened = state.handles.get(handle, node, 'file');
  prepareChange(state, node, 'write');
  endPrivileges(state, node, endsPrivileges);
  if (node.where === 'layer') {
    const { size } = statFd(opened.fd);
    const start = (opened.flags & O_APPEND) !== 0 && !fromCache ? size : offset;
    state.layers.resize(node, size, Math.max(size, start + data.length));
  }
  // A page of a memory map comes through any handle that can write: it belongs at its offset, not at the end.
  if (!fromCache || (opened.flags & O_APPEND) === 0) return sizeReply(writeAt(opened.fd, data, offset));
  setAppend(opened.fd, false);
  try {
    return sizeReply(writeAt(opened.fd, data, offset));
  } finally {
    setAppend(opened.fd, true);
  }
}

export async function fsync({ state, node }: Call, { handle, dataOnly }: Decoded['FSYNC']): Promise<Reply> {
  if (node.kind === 'directory' && handle === 0) return syncUnopened(state, node);
  const opened = state.handles.get(handle, node, node.kind === 'directory' ? 'directory' : 'file');
  await state.handles.hold(opened, () => syncFd(opened.fd, dataOnly));
  return emptyReply();
}

async function syncUnopened(state: ServerState, node: Node): Promise<Reply> {
  const fd = openNode(state, node, O_RDONLY | O_DIRECTORY);
  try {
    await syncFd(fd, false);
    return emptyReply();
  } finally {
    closeFd(fd);
  }
}

export function release({ state, node }: Call, { handle }: Decoded['RELEASE']): Reply {
  const isCounted = node.where === 'layer' || state.owners.get(node.identity) !== undefined;
  const fd = isCounted ? state.handles.find(handle)?.fd : undefined;
  const last = fd === undefined ? undefined : statFd(fd);
  state.handles.release(handle, node);
  if (last?.nlink === 0 && node.handles?.size === 0) {
    state.owners.remove(node.identity);
    if (node.where === 'layer') state.layers.resize(node, last.size, 0);
  }
  state.nodes.dropUnused(node);
  return emptyReply();
}

export function fallocate(call: Call, { handle, offset, length, mode }: Decoded['FALLOCATE']): Reply {
  const { state, node } = call;
  const { fd } = state.handles.get(handle, node, 'file');
  prepareChange(state, node, 'write');
  if (node.where === 'layer') reserve(state, node, { fd, mode, end: offset + length });
  if ((mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) !== 0) return fail('EOPNOTSUPP');
  allocate(fd, mode, { offset, length });
  endPrivilegesUnlessRoot(call, node);
  return emptyReply();
}

/** Room beyond the end, which no size would show, is not given in the layer. */
function reserve(state: ServerState, node: Node, { fd, mode, end }: { fd: number; mode: number; end: number }): void {
  const { size } = statFd(fd);
  if (end <= size || (mode & FALLOC_FL_PUNCH_HOLE) !== 0) return;
  if ((mode & FALLOC_FL_KEEP_SIZE) !== 0) fail('EOPNOTSUPP');
  state.layers.resize(node, size, end);
}

/** The kernel asks for data and holes only. The offset of the descriptor itself is never used. */
export function lseek({ state, node }: Call, { handle, offset, whence }: Decoded['LSEEK']): Reply {
  const { fd } = state.handles.get(handle, node, 'file');
  state.gate.requireNode(node, 'read');
  return whence === SEEK_DATA || whence === SEEK_HOLE ? offsetReply(seek(fd, offset, whence)) : fail('EINVAL');
}

export function copyFileRange(call: Call, request: Decoded['COPY_FILE_RANGE']): Reply {
  const { state, node } = call;
  if (request.flags !== 0) return fail('EINVAL');
  const target = state.nodes.get(request.node);
  const from = state.handles.get(request.handle, node, 'file');
  const to = state.handles.get(request.toHandle, target, 'file');
  state.gate.requireNode(node, 'read');
  prepareChange(state, target, 'write');
  endPrivilegesUnlessRoot(call, target);
  const length = Number.isNaN(request.length) ? COPY_MAX : Math.min(request.length, COPY_MAX);
  const { offset: fromOffset, toOffset } = request;
  if (target.where === 'layer') {
    const copied = Math.max(0, Math.min(length, statFd(from.fd).size - fromOffset));
    reserve(state, target, { fd: to.fd, mode: 0, end: toOffset + copied });
  }
  return sizeReply(copyRange({ from: from.fd, fromOffset, to: to.fd, toOffset, length }));
}
