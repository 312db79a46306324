/** Extended attributes: those of users only, on files and folders. */
import type { Decoded } from '../fuse/decode.ts';
import { bytesReply, emptyReply, type Reply, sizeReply } from '../fuse/encode.ts';
import { prepareChange } from '../overlay/areas.ts';
import { openAttributes, withFd } from '../overlay/resolve.ts';
import { fail, isErrno } from '../sys/errno.ts';
import { O_RDONLY, O_WRONLY } from '../sys/flags.ts';
import { getXattr, listXattrs, removeXattr, setXattr } from '../sys/xattrs.ts';
import type { Node } from '../tables/node.ts';
import type { ServerState } from '../tables/state.ts';
import type { Call } from './call.ts';

const PREFIX = 'user.';
const NAME_MAX = 255;

export function setxattr({ state, node }: Call, { name, value, flags }: Decoded['SETXATTR']): Reply {
  requireUser(name);
  if (node.kind !== 'file' && node.kind !== 'directory') return fail('EPERM');
  prepareChange(state, node, 'metadata');
  withReadableFd(state, node, (fd) => setXattr(fd, name, { value, flags }));
  return emptyReply();
}

export function getxattr({ state, node }: Call, { name, size }: Decoded['GETXATTR']): Reply {
  // Asked before each write, to drop it: the host's capabilities are not shown.
  if (name === 'security.capability') return fail('ENODATA');
  requireUser(name);
  if (node.kind !== 'file' && node.kind !== 'directory') return fail('ENODATA');
  state.gate.requireNode(node, 'read');
  return sized(
    withReadableFd(state, node, (fd) => getXattr(fd, name)),
    size,
  );
}

export function listxattr({ state, node }: Call, { size }: Decoded['LISTXATTR']): Reply {
  if (node.kind !== 'file' && node.kind !== 'directory') return sized(Buffer.alloc(0), size);
  state.gate.requireNode(node, 'read');
  const names = withReadableFd(state, node, listXattrs).toString('latin1').split('\0');
  const shown = names.filter((name) => name.startsWith(PREFIX)).map((name) => `${name}\0`);
  return sized(Buffer.from(shown.join(''), 'latin1'), size);
}

export function removexattr({ state, node }: Call, { name }: Decoded['REMOVEXATTR']): Reply {
  requireUser(name);
  if (node.kind !== 'file' && node.kind !== 'directory') return fail('ENODATA');
  prepareChange(state, node, 'metadata');
  withReadableFd(state, node, (fd) => removeXattr(fd, name));
  return emptyReply();
}

function requireUser(name: string): void {
  if (!name.startsWith(PREFIX)) fail('EOPNOTSUPP');
  if (name.length > NAME_MAX) fail('ERANGE');
}

/** Size 0 asks how large the answer is. */
function sized(answer: Buffer, size: number): Reply {
  if (size === 0) return sizeReply(answer.length);
  return answer.length > size ? fail('ERANGE') : bytesReply(answer);
}

/** O_PATH is not enough for these calls. A file that can be written only is opened for that. */
function withReadableFd<T>(state: ServerState, node: Node, use: (fd: number) => T): T {
  return withFd(openReadable(state, node), use);
}

function openReadable(state: ServerState, node: Node): number {
  try {
    return openAttributes(state, node, O_RDONLY);
  } catch (error) {
    if (node.kind !== 'file' || !isErrno(error, 'EACCES')) throw error;
    return openAttributes(state, node, O_WRONLY);
  }
}
