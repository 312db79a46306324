/** A file that the guest's kernel knows, and an open one. */
import type { FileKind } from '../sys/stat.ts';
import type { Listing } from './listing.ts';
import type { Root } from './volume.ts';

export const ROOT_NODE_ID = 1;

export type Where = 'host' | 'layer';

/** A name of a node: bytes, held as a latin1 string, in a folder */
export interface Link {
  parent: Node;
  name: string;
}

export interface Node {
  readonly id: number;
  /** Device, inode and birth time; another one after the file was copied into the private layer */
  identity: string;
  /** `layer`: the private layer has the file. A folder that both have is the host's, with more in it. */
  where: Where;
  readonly kind: FileKind;
  /** More than one for hard links; none after the last name was removed */
  links: Link[];
  /** The last name of a node without one: what the policy goes by */
  lastLink: Link | undefined;
  /** How many nodes without a name had their last one in this folder */
  remembered: number;
  /** How often the kernel was given this node and has not forgotten it */
  lookups: number;
  /** By name, the known nodes of a folder */
  children: Map<string, Node> | undefined;
  /** The open files and folders */
  handles: Set<Handle> | undefined;
  /** The folder of the host, for the node of a root */
  root: Root | undefined;
}

export function newNode({
  id,
  identity,
  kind,
  where = 'host',
  root,
}: {
  id: number;
  identity: string;
  kind: FileKind;
  where?: Where;
  root?: Root;
}): Node {
  return {
    id,
    identity,
    kind,
    where,
    links: [],
    lastLink: undefined,
    remembered: 0,
    lookups: 0,
    children: undefined,
    handles: undefined,
    root,
  };
}

/** A file or folder that the guest has open */
export interface Handle {
  readonly id: number;
  readonly node: Node;
  /** Undefined when a restored session could not open the file again */
  fd: number | undefined;
  /** The guest's open flags */
  readonly flags: number;
  readonly kind: 'file' | 'directory';
  /** Entries of a folder, from the first read to its end */
  listing: Listing | undefined;
  /** Calls that use the descriptor in another thread */
  pending: number;
  released: boolean;
}
