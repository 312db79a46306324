/** Gives the guest's kernel a node for a name. */
import type { Entry } from '../fuse/encode.ts';
import { S_ISGID } from '../sys/flags.ts';
import { fileOf, kindOfMode, type Stat } from '../sys/stat.ts';
import type { Link, Node, Where } from '../tables/node.ts';
import type { ServerState } from '../tables/state.ts';
import type { Call } from './call.ts';

/** Counts one lookup of the node at `link`; @throws ENFILE */
export function rememberEntry(
  state: ServerState,
  link: Link,
  { stat, where }: { stat: Stat; where: Where },
): { node: Node; entry: Entry } {
  const node = state.nodes.attach(link, { ...fileOf(stat), where });
  node.lookups++;
  return { node, entry: entryOf(state, node, stat) };
}

export function entryOf(state: ServerState, node: Node, stat: Stat): Entry {
  const { owners, lifetimes } = state;
  const { entrySeconds } = lifetimes;
  const attributeSeconds = state.attributeLifetime?.(node, stat) ?? lifetimes.attributeSeconds;
  return { node: node.id, attributes: owners.shown(stat), entrySeconds, attributeSeconds };
}

/** Counts one lookup of an open file without a name. For the policy it has a name in the folder where it was made. */
export function rememberUnnamed(
  state: ServerState,
  parent: Node,
  { stat, where }: { stat: Stat; where: Where },
): { node: Node; entry: Entry } {
  const node = state.nodes.create({ identity: stat.identity, kind: 'file', where });
  state.nodes.setLastLink(node, { parent, name: `#${node.id}` });
  node.lookups++;
  return { node, entry: entryOf(state, node, stat) };
}

/** A file that the guest has just made at `link`, and the special bits that it asked for */
export function newEntry(
  call: Call,
  link: Link,
  { special, ...made }: { stat: Stat; where: Where; special: number },
): { node: Node; entry: Entry } {
  claimNew(call, { stat: made.stat, parent: link.parent, special });
  return rememberEntry(call.state, link, made);
}

/** Keeps who made a file; in a folder with the set-group-id bit it gets the folder's group, and a folder the bit, too. */
export function claimNew(
  { state: { owners }, uid, gid }: Call,
  { stat, parent, special }: { stat: Stat; parent: Node; special: number },
): void {
  const above = owners.get(parent.identity);
  const inherits = ((above?.special ?? 0) & S_ISGID) !== 0;
  owners.claim(stat.identity, { uid, gid: inherits ? (above?.gid ?? gid) : gid });
  const all = special | (inherits && kindOfMode(stat.mode) === 'directory' ? S_ISGID : 0);
  if (all !== 0) owners.set(stat.identity, { special: all });
}
