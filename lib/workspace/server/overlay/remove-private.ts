/** Takes names out of the private layer, and out of the guest's sight where the host keeps them. */
import { isOwn } from '../../layer/items.ts';
import { namesIn } from '../../layer/load.ts';
import { O_DIRECTORY, O_RDONLY } from '../sys/flags.ts';
import { openAt, statIfPresent } from '../sys/names.ts';
import type { Link, Where } from '../tables/node.ts';
import type { ServerState } from '../tables/state.ts';
import { ensureFolder } from './areas.ts';
import type { Found } from './find.ts';
import { withFd } from './resolve.ts';

/** The host's entry of the name stays: a whiteout hides it. */
export function removePrivate(state: ServerState, link: Link, found: Found): void {
  const { layer, folder } = ensureFolder(state, link.parent);
  const spot = { folder, name: link.name };
  if (needsWhiteout(state, link, found)) layer.createWhiteout(spot);
  else layer.remove(spot);
  forgetFile(state, link, found);
}

/** Call it when a name of a file in the layer is gone: what it took is given back with its last name, or when it is closed. */
export function forgetFile(state: ServerState, link: Link, { where, kind, identity, stat }: Found): void {
  const isOpen = (link.parent.children?.get(link.name)?.handles?.size ?? 0) > 0;
  if (where === 'host' || isOpen || (stat.nlink > 1 && kind !== 'directory')) return;
  state.owners.remove(identity);
  if (kind === 'file') state.layers.placeOf(link)?.layer.usage.grow(-stat.size);
}

/** True if the guest would see an entry of the host once the layer has none. */
export function needsWhiteout(state: ServerState, link: Link, { kind }: Pick<Found, 'kind'>): boolean {
  if (link.parent.where === 'layer') return false;
  if (state.gate.verdict(link, { kind }, 'lookup') !== 'private') return false;
  return statIfPresent(state.fds.get(link.parent), link.name) !== undefined;
}

/** @param ignoresHost the host's own system call finds out about its entries */
export function isEmptyFolder(
  state: ServerState,
  link: Link,
  { where, ignoresHost }: { where: Where; ignoresHost: boolean },
): boolean {
  const item = state.layers.itemAt(link);
  const items = item?.is === 'folder' ? item.items : new Map<string, never>();
  for (const one of items.values()) if (isOwn(one)) return false;
  if (where === 'layer' || ignoresHost) return true;
  const names = withFd(openAt(state.fds.get(link.parent), link.name, O_RDONLY | O_DIRECTORY), namesIn);
  return names.every((name) => items.get(name)?.is === 'whiteout');
}
