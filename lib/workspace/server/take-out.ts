/** Takes an entry out of the private layer when the host's user has taken it over: the guest sees the host's entry from then on. */
import type { Layer } from '../layer/layer.ts';
import { invalidationsOf } from './coherence/host-change.ts';
import type { Invalidation } from './fuse/notify.ts';
import { bytesOfPath } from './sys/path-text.ts';
import type { ServerState } from './tables/state.ts';

export interface TakenEntry {
  /** Name of the served folder */
  root: string;
  /** From it, as text */
  path: string;
}

/** @returns what the guest's kernel is to be told */
export function takeOut(state: ServerState, layer: Layer, { root, path }: TakenEntry): Invalidation[] {
  const names = namesOf(path);
  const told = invalidationsOf(state, root, names);
  if (!takeOutOfLayer(layer, path)) return [];
  let parent = state.nodes.rootNamed(root);
  for (const name of names.slice(0, -1)) parent = parent?.children?.get(name);
  const name = names.at(-1);
  if (parent !== undefined && name !== undefined) state.nodes.detach({ parent, name });
  return told;
}

/** Without a session. @returns false if it stays: below a folder that hides that of the host, the guest would see nothing instead */
export function takeOutOfLayer(layer: Layer, path: string): boolean {
  const names = namesOf(path);
  let folder = layer.top;
  for (const one of names.slice(0, -1)) {
    const next = folder.items.get(one);
    if (next?.is !== 'folder' || next.isOpaque) return false;
    folder = next;
  }
  const name = names.at(-1) ?? '';
  const item = folder.items.get(name);
  if (item === undefined || item.is === 'folder') return false;
  const { size, nlink } = layer.stat({ folder, name });
  if (item.is === 'file' && nlink === 1) layer.usage.grow(-size);
  layer.remove({ folder, name });
  return true;
}

/** Bytes as latin1 strings, as the server holds names */
function namesOf(path: string): string[] {
  return bytesOfPath(path).split('/');
}
