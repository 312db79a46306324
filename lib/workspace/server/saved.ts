/** Saves what a session knows as plain data, and continues with it: for suspend, fork and a restarted server. */
import type { Negotiated } from './fuse/init.ts';
import { openNode } from './overlay/resolve.ts';
import { O_ACCMODE, O_APPEND, O_DIRECTORY } from './sys/flags.ts';
import type { FileKind } from './sys/stat.ts';
import { type Handle, type Link, type Node, newNode } from './tables/node.ts';
import type { Kept } from './tables/owners.ts';
import { addRoots, type ServerState } from './tables/state.ts';

/** Node id of the folder, and the name in it: bytes as a latin1 string */
type SavedLink = [parent: number, name: string];

interface SavedNode {
  id: number;
  identity: string;
  kind: FileKind;
  /** Undefined: the host */
  where?: 'layer';
  links: SavedLink[];
  lastLink?: SavedLink;
  lookups: number;
  /** Name of the root, for the node of a root */
  root?: string;
}

interface SavedHandle {
  id: number;
  node: number;
  flags: number;
  kind: Handle['kind'];
}

/** Can be written as JSON. */
export interface SavedSession {
  version: 1;
  /** Undefined before the guest's kernel has mounted */
  init: Negotiated | undefined;
  nextNode: number;
  nextHandle: number;
  nodes: SavedNode[];
  handles: SavedHandle[];
  owners: [identity: string, kept: Kept][];
}

export function saveState({ nodes, handles, owners }: ServerState, init: Negotiated | undefined): SavedSession {
  return {
    version: 1,
    init,
    nextNode: nodes.nextId,
    nextHandle: handles.nextId,
    nodes: [...nodes.all()].map(saveNode),
    handles: [...handles.all()].map(({ id, node, flags, kind }) => ({ id, node: node.id, flags, kind })),
    owners: owners.save(),
  };
}

/**
 * Fills the empty tables of a new session. A file that cannot be opened again answers EIO, a node that lies elsewhere
 * now ESTALE; a root that the volume no longer has takes its nodes with it.
 */
export function restoreState(state: ServerState, saved: SavedSession): void {
  const { nodes, handles, owners } = state;
  const rootIds = new Map(saved.nodes.flatMap(({ root, id }) => (root === undefined ? [] : [[root, id]])));
  nodes.nextId = saved.nextNode;
  addRoots(state, rootIds);
  const renumber = renumbering(state, saved);
  for (const { id, identity, kind, where = 'host', lookups, root } of saved.nodes) {
    if (root !== undefined) continue;
    const node = nodes.find(id) ?? nodes.add(newNode({ id, identity: renumber(identity), kind, where }));
    node.lookups = lookups;
  }
  for (const { id, links, lastLink } of saved.nodes) {
    const node = nodes.find(id);
    if (node === undefined) continue;
    for (const link of resolved(state, links)) nodes.connect(node, link);
    if (lastLink !== undefined) nodes.setLastLink(node, resolved(state, [lastLink])[0]);
  }
  owners.restore(saved.owners.map(([identity, kept]) => [renumber(identity), kept]));
  for (const handle of saved.handles) restoreHandle(state, handle);
  handles.nextId = saved.nextHandle;
}

/** Device numbers can change when the host starts again: those of a root that is otherwise the same are replaced. */
function renumbering({ volume }: ServerState, saved: SavedSession): (identity: string) => string {
  const devices = new Map<string, string>();
  for (const { root: name, identity } of saved.nodes) {
    const now = volume.roots.find((root) => root.name === name)?.identity.split('/');
    const [device = '', file] = identity.split('/');
    if (now?.[0] !== undefined && now[1] === file) devices.set(device, now[0]);
  }
  return (identity) => {
    const [device = '', file] = identity.split('/');
    return `${devices.get(device) ?? device}/${file}`;
  };
}

function saveNode(node: Node): SavedNode {
  const { id, identity, kind, where, links, lastLink, lookups, root } = node;
  return {
    id,
    identity,
    kind,
    ...(where === 'layer' && { where }),
    links: links.map(saveLink),
    ...(lastLink !== undefined && { lastLink: saveLink(lastLink) }),
    lookups,
    ...(root !== undefined && { root: root.name }),
  };
}

function saveLink({ parent, name }: Link): SavedLink {
  return [parent.id, name];
}

function resolved({ nodes }: ServerState, links: SavedLink[]): Link[] {
  return links.flatMap(([id, name]) => {
    const parent = nodes.find(id);
    return parent === undefined ? [] : [{ parent, name }];
  });
}

function restoreHandle(state: ServerState, { id, node: nodeId, flags, kind }: SavedHandle): void {
  const node = state.nodes.find(nodeId);
  if (node === undefined) return;
  state.handles.add({ node, fd: reopened(state, node, kind === 'directory' ? O_DIRECTORY : flags), flags, kind }, id);
}

function reopened(state: ServerState, node: Node, flags: number): number | undefined {
  try {
    return openNode(state, node, flags & (O_ACCMODE | O_APPEND | O_DIRECTORY));
  } catch {
    return undefined;
  }
}
