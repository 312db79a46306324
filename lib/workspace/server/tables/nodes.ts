/** The files that the guest's kernel knows: node ids, the names of each, and how often the kernel looked it up. */
import { fail } from '../sys/errno.ts';
import type { FileKind } from '../sys/stat.ts';
import { type Link, type Node, newNode, ROOT_NODE_ID, type Where } from './node.ts';

/** Deeper than any folder can be reached by names of one byte; ends the walk of a ring, which races of the host can form */
const DEPTH_MAX = 100_000;

export interface NodeTableOptions {
  /** Most nodes at a time */
  max: number;
  /** Called with a node that loses its last name or leaves the table: no descriptor of its folder may stay open */
  onUnreachable: (node: Node) => void;
}

interface NewFile {
  identity: string;
  kind: FileKind;
  where?: Where;
}

export class NodeTable {
  private readonly byId = new Map<number, Node>();
  private readonly byIdentity = new Map<string, Node>();
  private readonly options: NodeTableOptions;
  nextId = ROOT_NODE_ID + 1;

  constructor(options: NodeTableOptions) {
    this.options = options;
  }

  get size(): number {
    return this.byId.size;
  }

  all(): Iterable<Node> {
    return this.byId.values();
  }

  rootNamed(name: string): Node | undefined {
    const top = this.byId.get(ROOT_NODE_ID);
    if (top?.root === undefined) return top?.children?.get(name);
    return top.root.name === name ? top : undefined;
  }

  /** @throws ESTALE for an id that is not in the table */
  get(id: number): Node {
    return this.byId.get(id) ?? fail('ESTALE');
  }

  find(id: number): Node | undefined {
    return this.byId.get(id);
  }

  /** Adds a node under an id of its own: a root, or one of a saved session. */
  add(node: Node): Node {
    this.byId.set(node.id, node);
    this.byIdentity.set(node.identity, node);
    return node;
  }

  /** @returns the node of the file at `link`, new or with one more name; @throws ENFILE */
  attach(link: Link, file: NewFile): Node {
    const known = this.byIdentity.get(file.identity);
    const node = known?.kind === file.kind ? known : this.create(file);
    if (link.parent.children?.get(link.name) === node) return node;
    node.lookups++; // keeps it while it has no name
    this.holding([link.parent], () => {
      this.detach(link);
      // A folder has one name: the host moved it.
      if (node.kind === 'directory') for (const old of [...node.links]) this.detach(old);
      this.connect(node, link);
    });
    node.lookups--;
    return node;
  }

  connect(node: Node, link: Link): void {
    // A push would reserve room for 16 more: most nodes have one name, and there are many nodes.
    node.links = node.links.length === 0 ? [link] : [...node.links, link];
    link.parent.children ??= new Map();
    link.parent.children.set(link.name, node);
    if (node.lastLink !== undefined) this.setLastLink(node, undefined);
  }

  /** Sets the name by which a node without one is known. It keeps the folder in the table: whatever is held is counted. */
  setLastLink(node: Node, link: Link | undefined): void {
    const old = node.lastLink;
    node.lastLink = link;
    if (link !== undefined) link.parent.remembered++;
    if (old === undefined) return;
    old.parent.remembered--;
    this.dropUnused(old.parent);
  }

  /** Ends what the table knows of a name. The node stays until the kernel forgets it. */
  detach({ parent, name }: Link): void {
    const node = parent.children?.get(name);
    if (node === undefined) return;
    parent.children?.delete(name);
    const index = node.links.findIndex((link) => link.parent === parent && link.name === name);
    const [link] = node.links.splice(index, 1);
    if (node.links.length === 0) {
      this.setLastLink(node, link);
      this.options.onUnreachable(node);
    }
    this.dropUnused(node);
    this.dropUnused(parent);
  }

  /** Follows a rename; what had the new name loses it. */
  move(from: Link, to: Link): void {
    const node = from.parent.children?.get(from.name);
    if (node !== undefined && to.parent.children?.get(to.name) === node) return;
    this.holding([node, from.parent, to.parent], () => {
      this.detach(to);
      if (node === undefined) return;
      this.detach(from);
      this.connect(node, to);
    });
  }

  exchange(one: Link, other: Link): void {
    const [a, b] = [one.parent.children?.get(one.name), other.parent.children?.get(other.name)];
    this.holding([a, b, one.parent, other.parent], () => {
      this.detach(one);
      this.detach(other);
      if (a !== undefined) this.connect(a, other);
      if (b !== undefined) this.connect(b, one);
    });
  }

  /** The kernel gives back `count` lookups; more than it had count as all of them. */
  forget(node: Node, count: number): void {
    node.lookups = count < node.lookups ? node.lookups - count : 0;
    this.dropUnused(node);
  }

  /** Drops `node` and then each parent that is kept for nothing else, if nothing refers to it any more. */
  dropUnused(first: Node): void {
    const queue = [first];
    for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
      if (node.id === ROOT_NODE_ID || this.byId.get(node.id) !== node || isUsed(node)) continue;
      this.byId.delete(node.id);
      if (this.byIdentity.get(node.identity) === node) this.byIdentity.delete(node.identity);
      for (const { parent, name } of node.links) {
        parent.children?.delete(name);
        queue.push(parent);
      }
      if (node.lastLink !== undefined) {
        node.lastLink.parent.remembered--;
        queue.push(node.lastLink.parent);
      }
      this.options.onUnreachable(node);
    }
  }

  /** Keeps nodes, above all folders, while names come and go. */
  private holding(held: (Node | undefined)[], work: () => void): void {
    for (const node of held) if (node !== undefined) node.lookups++;
    work();
    for (const node of held) if (node !== undefined) this.forget(node, 1);
  }

  /** Call it before a file is made on the host; @throws ENFILE */
  requireRoom(): void {
    if (this.byId.size >= this.options.max) fail('ENFILE');
  }

  /** A node without a name; @throws ENFILE */
  create({ identity, kind, where = 'host' }: NewFile): Node {
    this.requireRoom();
    return this.add(newNode({ identity, kind, where, id: this.nextId++ }));
  }

  /** The node's file is a copy in the private layer from now on. */
  moveToLayer(node: Node, identity: string): void {
    if (this.byIdentity.get(node.identity) === node) this.byIdentity.delete(node.identity);
    node.identity = identity;
    node.where = 'layer';
    this.byIdentity.set(identity, node);
  }
}

function isUsed({ lookups, remembered, root, handles, children }: Node): boolean {
  return lookups + remembered + (handles?.size ?? 0) + (children?.size ?? 0) > 0 || root !== undefined;
}

/**
 * @param isStart ends the walk upwards before the root
 * @returns the names from a root, or from the first folder that is a start, down to `link`; @throws ESTALE
 */
export function namesOf(link: Link, isStart?: (node: Node) => boolean): { start: Node; names: string[] } {
  const names = [link.name];
  let node = link.parent;
  while (node.root === undefined && isStart?.(node) !== true) {
    const up = node.links[0] ?? node.lastLink;
    if (up === undefined || names.length >= DEPTH_MAX) fail('ESTALE');
    names.push(up.name);
    node = up.parent;
  }
  return { start: node, names: names.reverse() };
}

/** @returns the name of the root that the node lies in; empty for what is in none */
export function rootNameOf(node: Node): string {
  // The project has a name in the work tree around it, too.
  if (node.root !== undefined) return node.root.name;
  const link = node.links[0] ?? node.lastLink;
  return link === undefined ? '' : (namesOf(link).start.root?.name ?? '');
}
