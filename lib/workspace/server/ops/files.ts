/** Open files: OPEN, READ, WRITE, FSYNC, FLUSH, RELEASE, FALLOCATE, LSEEK, COPY_FILE_RANGE. */
import type { Decoded } from '../fuse/decode.ts';
import { emptyReply, offsetReply, openReply, type Reply, sizeReply } from '../fuse/encode.ts';
import { MAX_WRITE } from '../fuse/limits.ts';
import { exactReply, scratchBody } from '../fuse/scratch.ts';
import { fail } from '../sys/errno.ts';
import { allocate, closeFd, copyRange, readAt, seek, setAppend, statFd, syncFd, writeAt } from '../sys/files.ts';
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  O_ACCMODE,
  O_APPEND,
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
import { openNode } from './resolve.ts';

const FOPEN_KEEP_CACHE = 2;

/** A longer copy is done in parts: each call keeps every other request waiting. In bytes */
const COPY_MAX = 16 * 1024 * 1024;

export function open({ state, node }: Call, { flags }: Decoded['OPEN']): Reply {
  return openReply(openFile(state, node, flags).id, openFlagsFor(state));
}

/** Opens a regular file. Devices, FIFOs and sockets of the host are never opened: they could block or act. */
export function openFile(state: ServerState, node: Node, flags: number): Handle {
  if (node.kind !== 'file') fail(node.kind === 'directory' ? 'EISDIR' : node.kind === 'symlink' ? 'ELOOP' : 'ENXIO');
  const access = flags & O_ACCMODE;
  if (access !== O_WRONLY) state.gate.requireNode(node, 'read');
  if (access !== O_RDONLY || (flags & O_TRUNC) !== 0) state.gate.requireNode(node, 'write');
  state.handles.requireRoom();
  const fd = openNode(state, node, access | (flags & O_APPEND));
  try {
    // After the check that it is the right file: an O_TRUNC of the open itself would come before it.
    if ((flags & O_TRUNC) !== 0) truncate(state, node, { size: 0 });
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

export function write({ state, node }: Call, { handle, offset, data, fromCache }: Decoded['WRITE']): Reply {
  const opened = state.handles.get(handle, node, 'file');
  state.gate.requireNode(node, 'write');
  state.owners.dropPrivileges(node.identity);
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
  const opened = state.handles.get(handle, node, node.kind === 'directory' ? 'directory' : 'file');
  await state.handles.hold(opened, () => syncFd(opened.fd, dataOnly));
  return emptyReply();
}

/** Nothing waits in the server: each write has reached the host's kernel. */
export function flush({ state, node }: Call, { handle }: Decoded['FLUSH']): Reply {
  state.handles.get(handle, node, 'file');
  return emptyReply();
}

export function release({ state, node }: Call, { handle }: Decoded['RELEASE']): Reply {
  const fd = state.owners.get(node.identity) === undefined ? undefined : state.handles.find(handle)?.fd;
  const removed = fd !== undefined && statFd(fd).nlink === 0;
  state.handles.release(handle, node);
  if (removed && node.handles?.size === 0) state.owners.remove(node.identity);
  state.nodes.dropUnused(node);
  return emptyReply();
}

export function fallocate({ state, node }: Call, { handle, offset, length, mode }: Decoded['FALLOCATE']): Reply {
  const { fd } = state.handles.get(handle, node, 'file');
  state.gate.requireNode(node, 'write');
  if ((mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) !== 0) return fail('EOPNOTSUPP');
  allocate(fd, mode, { offset, length });
  state.owners.dropPrivileges(node.identity);
  return emptyReply();
}

/** The kernel asks for data and holes only. The offset of the descriptor itself is never used. */
export function lseek({ state, node }: Call, { handle, offset, whence }: Decoded['LSEEK']): Reply {
  const { fd } = state.handles.get(handle, node, 'file');
  state.gate.requireNode(node, 'read');
  return whence === SEEK_DATA || whence === SEEK_HOLE ? offsetReply(seek(fd, offset, whence)) : fail('EINVAL');
}

export function copyFileRange({ state, node }: Call, request: Decoded['COPY_FILE_RANGE']): Reply {
  if (request.flags !== 0) return fail('EINVAL');
  const target = state.nodes.get(request.node);
  const from = state.handles.get(request.handle, node, 'file');
  const to = state.handles.get(request.toHandle, target, 'file');
  state.gate.requireNode(node, 'read');
  state.gate.requireNode(target, 'write');
  state.owners.dropPrivileges(target.identity);
  const length = Number.isNaN(request.length) ? COPY_MAX : Math.min(request.length, COPY_MAX);
  const { offset: fromOffset, toOffset } = request;
  return sizeReply(copyRange({ from: from.fd, fromOffset, to: to.fd, toOffset, length }));
}
