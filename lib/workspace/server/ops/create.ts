import type { Decoded } from '../fuse/decode.ts';
import { createReply, entryReply, type Reply } from '../fuse/encode.ts';
import { areaOf } from '../overlay/areas.ts';
import { find } from '../overlay/find.ts';
import { areaForNew, dropLeftovers, newPrivate } from '../overlay/new-private.ts';
import { withFd } from '../overlay/resolve.ts';
import { isTop } from '../overlay/top.ts';
import { fail, isErrno } from '../sys/errno.ts';
import { closeFd, setMode, setModeOfPath, statFd } from '../sys/files.ts';
import {
  O_ACCMODE,
  O_CREAT,
  O_EXCL,
  O_PATH,
  O_WRONLY,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from '../sys/flags.ts';
import { makeDirectory, openAt, statAt, symlinkAt } from '../sys/names.ts';
import type { Stat } from '../sys/stat.ts';
import type { Link } from '../tables/node.ts';
import { rootNameOf } from '../tables/nodes.ts';
import type { ServerState } from '../tables/state.ts';
import type { Call } from './call.ts';
import { newEntry, rememberEntry } from './entry.ts';
import { openFile, openFlagsFor } from './files.ts';

const PERMISSION_BITS = 0o777;
const SPECIAL_BITS = 0o7000;

interface NewMode {
  mode: number;
  umask: number;
}

const SPECIAL_TYPES: readonly number[] = [S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK];

/** Devices, FIFOs and sockets never reach the host: without a private layer they are refused. */
export function mknod(call: Call, { name, rdev, ...mode }: Decoded['MKNOD']): Reply {
  const type = mode.mode & S_IFMT;
  if (SPECIAL_TYPES.includes(type)) return makeSpecial(call, name, { ...mode, rdev });
  if (type !== S_IFREG && type !== 0) return fail('EPERM');
  const { fd, link, made } = makeFile(call, name, { ...mode, flags: O_WRONLY });
  closeFd(fd);
  return entryReply(newEntry(call, link, { ...made, special: mode.mode & SPECIAL_BITS }).entry);
}

function makeSpecial(call: Call, name: string, { mode, umask, rdev }: NewMode & { rdev: number }): Reply {
  const { state, node: parent } = call;
  const link = { parent, name };
  if (isTop(parent) || state.layers.placeOf(link) === undefined) return fail('EPERM');
  areaOf(state, link, { kind: 'other', operation: 'create' });
  state.nodes.requireRoom();
  const { layer, spot } = newPrivate(state, link, 'other');
  const isDevice = (mode & S_IFMT) === S_IFCHR || (mode & S_IFMT) === S_IFBLK;
  const bits = (mode & S_IFMT) | (mode & ~umask & PERMISSION_BITS);
  layer.createSpecial(spot, { is: 'special', mode: bits, rdev: isDevice ? rdev : 0 });
  const made = { stat: layer.stat(spot), where: 'layer' as const };
  return entryReply(newEntry(call, link, { ...made, special: mode & SPECIAL_BITS }).entry);
}

export function mkdir(call: Call, { name, mode, umask }: Decoded['MKDIR']): Reply {
  const { state, node: parent } = call;
  const link = { parent, name };
  const area = areaForNew(state, link, 'directory');
  const make = area === 'layer' ? makePrivateFolder : makeHostFolder;
  const stat = make(state, link, mode & ~umask & PERMISSION_BITS);
  return entryReply(newEntry(call, link, { stat, where: area, special: mode & SPECIAL_BITS }).entry);
}

function makeHostFolder(state: ServerState, link: Link, bits: number): Stat {
  const dirFd = state.fds.get(link.parent);
  makeDirectory(dirFd, link.name, bits);
  if ((bits & state.hostUmask) !== 0) withFd(openAt(dirFd, link.name, O_PATH), (fd) => setModeOfPath(fd, bits));
  dropLeftovers(state, link);
  return statAt(dirFd, link.name);
}

function makePrivateFolder(state: ServerState, link: Link, mode: number): Stat {
  const { layer, spot, isOpaque } = newPrivate(state, link, 'directory');
  return layer.statFolder(layer.createFolder(spot, { mode, isContainer: false, isOpaque }));
}

/** Any target is fine: the server follows no link of the workspace. */
export function symlink(call: Call, { name, target }: Decoded['SYMLINK']): Reply {
  const { state } = call;
  const link = { parent: call.node, name };
  const where = areaForNew(state, link, 'symlink');
  const make = where === 'layer' ? makePrivateLink : makeHostLink;
  return entryReply(newEntry(call, link, { stat: make(state, link, target), where, special: 0 }).entry);
}

function makeHostLink(state: ServerState, { parent, name }: Link, target: string): Stat {
  const dirFd = state.fds.get(parent);
  symlinkAt(target, dirFd, name);
  return statAt(dirFd, name);
}

function makePrivateLink(state: ServerState, link: Link, target: string): Stat {
  const { layer, spot } = newPrivate(state, link, 'symlink');
  layer.createLink(spot, target);
  return layer.stat(spot);
}

/** Opens a new file. One that the host made in the meantime is opened like any other, unless O_EXCL is set. */
export function create(call: Call, { name, flags, endsPrivileges, ...mode }: Decoded['CREATE']): Reply {
  const { state, node: parent } = call;
  state.handles.requireRoom();
  try {
    const { fd, link, made } = makeFile(call, name, { ...mode, flags: flags & O_ACCMODE });
    return keepOpen(call, {
      fd,
      flags,
      make: () => newEntry(call, link, { ...made, special: mode.mode & SPECIAL_BITS }),
    });
  } catch (error) {
    if (!isErrno(error, 'EEXIST') || (flags & O_EXCL) !== 0) throw error;
  }
  const found = find(state, { parent, name }) ?? fail('ENOENT');
  const { node, entry } = rememberEntry(state, { parent, name }, found);
  try {
    // The guest's kernel looks it up and asks again, by OPEN, which can wait.
    if (node.where === 'host' && state.names?.pending(rootNameOf(node), found.stat) !== undefined) fail('ESTALE');
    const handle = openFile(state, node, { flags, endsPrivileges });
    return createReply(entry, handle.id, openFlagsFor(state));
  } catch (error) {
    state.nodes.forget(node, 1);
    throw error;
  }
}

/** Makes a regular file that did not exist, with exactly the mode that the guest asked for. */
function makeFile({ state, node: parent }: Call, name: string, { mode, umask, flags }: NewMode & { flags: number }) {
  const link = { parent, name };
  const bits = mode & ~umask & PERMISSION_BITS;
  if (areaForNew(state, link, 'file') === 'layer') {
    const { layer, spot } = newPrivate(state, link, 'file');
    const fd = layer.createFile(spot, { flags, mode: bits });
    return { fd, link, made: { stat: statFd(fd), where: 'layer' as const } };
  }
  const fd = openAt(state.fds.get(parent), name, flags | O_CREAT | O_EXCL, bits);
  if ((bits & state.hostUmask) !== 0) setMode(fd, bits);
  return { fd, link, made: { stat: statFd(fd), where: 'host' as const } };
}

interface NewlyOpened {
  fd: number;
  flags: number;
  make: () => ReturnType<typeof rememberEntry>;
}

/** Answers with an open file that was just made, or closes it. */
export function keepOpen({ state }: Call, { fd, flags, make }: NewlyOpened): Reply {
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
