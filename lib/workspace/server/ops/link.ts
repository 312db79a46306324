/** Gives a file one more name: LINK. */
import { FILE } from '../../layer/items.ts';
import type { Decoded } from '../fuse/decode.ts';
import { entryReply, type Reply } from '../fuse/encode.ts';
import { areaOfNode, copyUp } from '../overlay/areas.ts';
import { find } from '../overlay/find.ts';
import { areaForNew, newPrivate } from '../overlay/new-private.ts';
import { withNodeFd } from '../overlay/resolve.ts';
import { fail } from '../sys/errno.ts';
import { linkFd, statAt } from '../sys/names.ts';
import type { Stat } from '../sys/stat.ts';
import type { Link, Node } from '../tables/node.ts';
import type { ServerState } from '../tables/state.ts';
import type { Call } from './call.ts';
import { rememberEntry } from './entry.ts';

/** Links the file of the node itself, so that no other file can take its place on the way. */
export function link({ state, node: parent }: Call, request: Decoded['LINK']): Reply {
  const node = state.nodes.get(request.node);
  const link = { parent, name: request.name };
  const isSpecial = node.kind === 'other' && node.where === 'layer';
  if (node.kind === 'directory' || (node.kind === 'other' && !isSpecial)) return fail('EPERM');
  const from = areaOfNode(state, node, 'link');
  const area = areaForNew(state, link, node.kind, node.identity);
  const to = isSpecial ? 'layer' : area;
  // A file is the host's or private, under all of its names.
  if (from !== to) return fail('EXDEV');
  if (to === 'layer') return entryReply(rememberEntry(state, link, linkInLayer(state, node, link)).entry);
  const dirFd = state.fds.get(parent);
  withNodeFd(state, node, ({ fd }) => linkFd(fd, dirFd, link.name));
  return entryReply(rememberEntry(state, link, { stat: statAt(dirFd, link.name), where: 'host' }).entry);
}

function linkInLayer(state: ServerState, node: Node, link: Link): { stat: Stat; where: 'layer' } {
  if (find(state, link) !== undefined) fail('EEXIST');
  if (node.where === 'host') copyUp(state, node);
  const [own] = node.links;
  const item = own === undefined ? FILE : (state.layers.itemAt(own) ?? fail('ESTALE'));
  const { layer, spot } = newPrivate(state, link, node.kind);
  withNodeFd(state, node, ({ fd }) => layer.addName(fd, spot, item));
  return { stat: layer.stat(spot), where: 'layer' };
}
