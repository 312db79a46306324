/** Opens a file without a name: TMPFILE. */
import type { Decoded } from '../fuse/decode.ts';
import type { Reply } from '../fuse/encode.ts';
import { areaOf } from '../overlay/areas.ts';
import { fail } from '../sys/errno.ts';
import { setMode, statFd } from '../sys/files.ts';
import { O_ACCMODE, O_TMPFILE } from '../sys/flags.ts';
import { openAt } from '../sys/names.ts';
import type { Node, Where } from '../tables/node.ts';
import type { ServerState } from '../tables/state.ts';
import type { Call } from './call.ts';
import { keepOpen } from './create.ts';
import { claimNew, rememberUnnamed } from './entry.ts';

const PERMISSION_BITS = 0o777;
const SPECIAL_BITS = 0o7000;

export function tmpfile(call: Call, { flags, mode, umask }: Decoded['TMPFILE']): Reply {
  const { state, node: parent } = call;
  state.handles.requireRoom();
  const where = areaOfUnnamed(state, parent);
  state.nodes.requireRoom();
  const bits = mode & ~umask & PERMISSION_BITS;
  const open = where === 'layer' ? openUnnamedInLayer : openUnnamedOnHost;
  const fd = open(state, parent, { flags: flags & O_ACCMODE, bits });
  return keepOpen(call, {
    fd,
    flags,
    make: () => {
      setMode(fd, bits);
      const stat = statFd(fd);
      claimNew(call, { stat, parent, special: mode & SPECIAL_BITS });
      return rememberUnnamed(state, parent, { stat, where });
    },
  });
}

/** The folder itself does not change: no copy of it is needed. */
function areaOfUnnamed(state: ServerState, parent: Node): Where {
  const [link] = parent.links;
  if (link !== undefined) return areaOf(state, link, { ...parent, operation: 'write' });
  state.gate.requireNode(parent, 'write');
  return parent.where;
}

interface Unnamed {
  flags: number;
  bits: number;
}

function openUnnamedOnHost(state: ServerState, parent: Node, { flags, bits }: Unnamed): number {
  return openAt(state.fds.get(parent), '.', flags | O_TMPFILE, bits);
}

function openUnnamedInLayer({ layers }: ServerState, parent: Node, { flags, bits }: Unnamed): number {
  return (layers.layerOf(parent) ?? fail('ESTALE')).work.makeUnnamed(flags, bits);
}
