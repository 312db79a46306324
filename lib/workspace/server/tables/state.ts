/** Everything that one session of the file server knows. */
import type { Layer } from '../../layer/layer.ts';
import type { Stat } from '../sys/stat.ts';
import { DirectoryFds } from './directory-fds.ts';
import { HandleTable } from './handles.ts';
import { KeptListings } from './kept-listings.ts';
import { Layers } from './layers.ts';
import { type Node, newNode, ROOT_NODE_ID } from './node.ts';
import { NodeTable } from './nodes.ts';
import { Owners } from './owners.ts';
import { type Decide, type JudgeRename, type NameCheck, PolicyGate } from './policy.ts';
import type { Volume } from './volume.ts';

export interface ServerOptions {
  /** Default: everything passes */
  decide?: Decide;
  judgeRename?: JudgeRename;
  /** Private layers by the names of their roots. Without one, what is private is read-only. The caller closes them. */
  layers?: ReadonlyMap<string, Layer>;
  /** Default: all names of a file are known */
  names?: NameCheck;
  /** Called before each request */
  onRequest?: () => void;
  /** Owner of the served files on the host; default: the user of this process */
  hostUid?: number;
  /** Owner that the guest sees instead; default 1000:1000 */
  guestUser?: { uid: number; gid: number };
  /** How long the guest's kernel may use an answer, in seconds; defaults: 1, 1 and 0 (for names that do not exist) */
  lifetimes?: { entrySeconds: number; attributeSeconds: number; missingSeconds: number };
  /** Lets the kernel keep data when a file is opened again: set it only if changes of the host are notified */
  keepCache?: boolean;
  limits?: Partial<ServerLimits>;
  /** How long a folder's descriptor is used before its path is walked again, in milliseconds; default 1,000 */
  folderMaxAgeMs?: number;
  /** Milliseconds of a monotonic clock */
  now?: () => number;
}

interface ServerLimits {
  nodes: number;
  handles: number;
  directoryFds: number;
  /** Memory for the entries of open folders, in bytes */
  listingBytes: number;
  /** Files whose owner or special bits the guest changed */
  owners: number;
}

const LIMITS: ServerLimits = {
  nodes: 1_000_000,
  handles: 4096,
  directoryFds: 512,
  listingBytes: 64 * 1024 * 1024,
  owners: 1_000_000,
};

export interface ServerState extends Disposable {
  volume: Volume;
  nodes: NodeTable;
  handles: HandleTable;
  /** Of folders that are read without being opened */
  listings: KeptListings;
  fds: DirectoryFds;
  owners: Owners;
  gate: PolicyGate;
  layers: Layers;
  names: NameCheck | undefined;
  onRequest: (() => void) | undefined;
  lifetimes: Required<ServerOptions>['lifetimes'];
  keepCache: boolean;
  /** In seconds, for a node with these attributes; default: that of `lifetimes` */
  attributeLifetime?: (node: Node, stat: Stat) => number;
  /** A node lost its last name or left the table */
  onUnreachable?: (node: Node) => void;
  /** The guest's kernel says with which changes of a file's content set-user-id and set-group-id bits end; false: with each */
  saysWhenPrivilegesEnd: boolean;
  /** The kernel reads folders without opening them, and keeps their entries until it is told otherwise */
  readsUnopened: boolean;
  /** Mode bits that the host takes from new files of this process */
  hostUmask: number;
  isClosed(): boolean;
}

export function createState(volume: Volume, options: ServerOptions): ServerState {
  const limits = { ...LIMITS, ...options.limits };
  const fds = new DirectoryFds({
    openFolder: volume.openFolder,
    max: limits.directoryFds,
    maxAgeMs: options.folderMaxAgeMs ?? 1000,
    now: options.now ?? (() => performance.now()),
  });
  const onUnreachable = (node: Node) => {
    if (nodes.find(node.id) === node) fds.forgetUnlessGone(node);
    else fds.forget(node);
    state.onUnreachable?.(node);
  };
  const nodes = new NodeTable({ max: limits.nodes, onUnreachable });
  const handles = new HandleTable({ max: limits.handles, listingBytes: limits.listingBytes });
  const { uid, gid } = options.guestUser ?? { uid: 1000, gid: 1000 };
  let isClosed = false;
  const hostUid = options.hostUid ?? process.getuid?.() ?? 0;
  const state: ServerState = {
    volume,
    nodes,
    handles,
    listings: new KeptListings(handles.listings),
    fds,
    owners: new Owners({ hostUid, uid, gid, max: limits.owners }),
    gate: new PolicyGate(options),
    layers: new Layers(options.layers ?? new Map()),
    names: options.names,
    onRequest: options.onRequest,
    lifetimes: options.lifetimes ?? { entrySeconds: 1, attributeSeconds: 1, missingSeconds: 0 },
    keepCache: options.keepCache ?? false,
    saysWhenPrivilegesEnd: false,
    readsUnopened: false,
    hostUmask: process.umask(),
    isClosed: () => isClosed,
    [Symbol.dispose]: () => {
      isClosed = true;
      handles[Symbol.dispose]();
      fds[Symbol.dispose]();
    },
  };
  return state;
}

/**
 * One root is the mount's root itself; several are the entries of a folder that only lists them.
 * @param ids node ids that roots had in a saved session, by name
 */
export function addRoots({ nodes, volume: { roots } }: ServerState, ids?: ReadonlyMap<string, number>): void {
  const [only] = roots;
  if (roots.length === 1 && only !== undefined) {
    nodes.add(newNode({ id: ROOT_NODE_ID, identity: only.identity, kind: 'directory', root: only }));
    return;
  }
  const top = nodes.add(newNode({ id: ROOT_NODE_ID, identity: 'top', kind: 'directory' }));
  for (const root of roots) {
    const node = nodes.add(
      newNode({ id: ids?.get(root.name) ?? nodes.nextId++, identity: root.identity, kind: 'directory', root }),
    );
    top.children ??= new Map();
    top.children.set(root.name, node);
  }
}
