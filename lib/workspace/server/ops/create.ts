/** Makes names: MKNOD, MKDIR, SYMLINK, LINK, CREATE, TMPFILE. */
import type { Decoded } from '../fuse/decode.ts';
import { createReply, entryReply, type Reply } from '../fuse/encode.ts';
import { fail, isErrno } from '../sys/errno.ts';
import { closeFd, setMode, setModeOfPath, statFd } from '../sys/files.ts';
import { O_ACCMODE, O_CREAT, O_EXCL, O_PATH, O_TMPFILE, O_WRONLY, S_IFMT, S_IFREG } from '../sys/flags.ts';
import { linkFd, makeDirectory, openAt, statAt, symlinkAt } from '../sys/names.ts';
import { fileOf } from '../sys/stat.ts';
import type { Call } from './call.ts';
import { claimNew, newEntry, rememberEntry, rememberUnnamed } from './entry.ts';
import { openFile, openFlagsFor } from './files.ts';
import { withFd, withNodeFd } from './resolve.ts';

const PERMISSION_BITS = 0o777;
const SPECIAL_BITS = 0o7000;

interface NewMode {
  mode: number;
  umask: number;
}

/** Regular files only: devices, FIFOs and sockets never reach the host. */
export function mknod(call: Call, { name, ...mode }: Decoded['MKNOD']): Reply {
  const type = mode.mode & S_IFMT;
  if (type !== S_IFREG && type !== 0) return fail('EPERM');
  const { fd, dirFd, link } = makeFile(call, name, { ...mode, flags: O_WRONLY });
  closeFd(fd);
  return entryReply(newEntry(call, link, { dirFd, special: mode.mode & SPECIAL_BITS }).entry);
}

export function mkdir(call: Call, { name, mode, umask }: Decoded['MKDIR']): Reply {
  const { state, node: parent } = call;
  const dirFd = state.fds.get(parent);
  const link = { parent, name };
  state.gate.requireName(link, { kind: 'directory' }, 'create');
  state.nodes.requireRoom();
  const bits = mode & ~umask & PERMISSION_BITS;
  makeDirectory(dirFd, name, bits);
  if ((bits & state.hostUmask) !== 0) withFd(openAt(dirFd, name, O_PATH), (fd) => setModeOfPath(fd, bits));
  return entryReply(newEntry(call, link, { dirFd, special: mode & SPECIAL_BITS }).entry);
}

/** Any target is fine: the server follows no link of the workspace. */
export function symlink(call: Call, { name, target }: Decoded['SYMLINK']): Reply {
  const dirFd = call.state.fds.get(call.node);
  const link = { parent: call.node, name };
  call.state.gate.requireName(link, { kind: 'symlink' }, 'create');
  call.state.nodes.requireRoom();
  symlinkAt(target, dirFd, name);
  return entryReply(newEntry(call, link, { dirFd, special: 0 }).entry);
}

/** Links the file of the node itself, so that no other file can take its place on the way. */
export function link({ state, node: parent }: Call, request: Decoded['LINK']): Reply {
  const node = state.nodes.get(request.node);
  const { name } = request;
  if (node.kind === 'directory' || node.kind === 'other') return fail('EPERM');
  state.gate.requireNode(node, 'link');
  state.gate.requireName({ parent, name }, node, 'create');
  const dirFd = state.fds.get(parent);
  withNodeFd(state, node, ({ fd }) => linkFd(fd, dirFd, name));
  return entryReply(rememberEntry(state, { parent, name }, statAt(dirFd, name)).entry);
}

/** Opens a new file. One that the host made in the meantime is opened like any other, unless O_EXCL is set. */
export function create(call: Call, { name, flags, ...mode }: Decoded['CREATE']): Reply {
  const { state, node: parent } = call;
  state.handles.requireRoom();
  try {
    const { fd, dirFd, link } = makeFile(call, name, { ...mode, flags: flags & O_ACCMODE });
    return keepOpen(call, {
      fd,
      flags,
      make: () => newEntry(call, link, { dirFd, special: mode.mode & SPECIAL_BITS }),
    });
  } catch (error) {
    if (!isErrno(error, 'EEXIST') || (flags & O_EXCL) !== 0) throw error;
  }
  const stat = statAt(state.fds.get(parent), name);
  state.gate.requireName({ parent, name }, fileOf(stat), 'lookup');
  const { node, entry } = rememberEntry(state, { parent, name }, stat);
  try {
    const handle = openFile(state, node, flags);
    return createReply(entry, handle.id, openFlagsFor(state));
  } catch (error) {
    state.nodes.forget(node, 1);
    throw error;
  }
}

/** An open file without a name */
export function tmpfile(call: Call, { flags, mode, umask }: Decoded['TMPFILE']): Reply {
  const { state, node: parent } = call;
  state.handles.requireRoom();
  state.gate.requireNode(parent, 'write');
  state.nodes.requireRoom();
  const bits = mode & ~umask & PERMISSION_BITS;
  const fd = openAt(state.fds.get(parent), '.', (flags & O_ACCMODE) | O_TMPFILE, bits);
  return keepOpen(call, {
    fd,
    flags,
    make: () => {
      setMode(fd, bits);
      const stat = statFd(fd);
      claimNew(call, { stat, parent, special: mode & SPECIAL_BITS });
      return rememberUnnamed(state, stat, parent);
    },
  });
}

/** Makes a regular file that did not exist, with exactly the mode that the guest asked for. */
function makeFile({ state, node: parent }: Call, name: string, { mode, umask, flags }: NewMode & { flags: number }) {
  const dirFd = state.fds.get(parent);
  const link = { parent, name };
  state.gate.requireName(link, { kind: 'file' }, 'create');
  state.nodes.requireRoom();
  const bits = mode & ~umask & PERMISSION_BITS;
  const fd = openAt(dirFd, name, flags | O_CREAT | O_EXCL, bits);
  if ((bits & state.hostUmask) !== 0) setMode(fd, bits);
  return { fd, dirFd, link };
}

interface NewlyOpened {
  fd: number;
  flags: number;
  make: () => ReturnType<typeof rememberEntry>;
}

function keepOpen({ state }: Call, { fd, flags, make }: NewlyOpened): Reply {
  let made: ReturnType<typeof rememberEntry>;
  try {
    made = make();
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  const handle = state.handles.add({ node: made.node, fd, flags, kind: 'file' });
  return createReply(made.entry, handle.id, openFlagsFor(state));
}
