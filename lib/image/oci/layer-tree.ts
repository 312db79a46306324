/**
 * The files of an image as its layers describe them, in memory only: names, kinds and which entry of which layer has the content. Nothing is
 * unpacked, so no entry of a layer can reach a file of the host. The rules are those of the OCI image specification (whiteouts) and of Docker
 * (a link on the way to an entry is followed, within the image).
 */

export interface Attributes {
  mode: number;
  uid: number;
  gid: number;
  /** Milliseconds */
  mtime: number;
}

export interface Folder {
  kind: 'folder';
  layer: number;
  attributes: Attributes;
  children: Map<string, Node>;
}

export interface FileNode {
  kind: 'file';
  /** Of this name */
  layer: number;
  attributes: Attributes;
  size: number;
  /** One object for all names that are hard links of each other */
  content: Content;
}

/** An entry of a layer, counted from 0 */
export interface Content {
  layer: number;
  entry: number;
}

export interface Link {
  kind: 'link';
  layer: number;
  attributes: Attributes;
  target: string;
}

export type Node = Folder | FileNode | Link;

export class BadLayer extends Error {}

const NAME_MAX = 255;
const PATH_MAX = 4096;
const HOPS_MAX = 40;
const IMPLICIT: Attributes = { mode: 0o755, uid: 0, gid: 0, mtime: 0 };
const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';

export function emptyTree(): Folder {
  return { kind: 'folder', layer: -1, attributes: IMPLICIT, children: new Map() };
}

/** The parts of an entry's name. @throws BadLayer for one that leads out of the image, or that no file system takes */
export function partsOf(name: string): string[] {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw new BadLayer(`the name ${JSON.stringify(name.slice(0, 200))} leads out of the image`);
  if (name.length > PATH_MAX || parts.some((part) => Buffer.byteLength(part) > NAME_MAX || part.includes('\0')))
    throw new BadLayer(`the name ${JSON.stringify(name.slice(0, 100))} is invalid`);
  return parts;
}

/** Adds an entry of a layer; a whiteout removes what lower layers have. */
export function place(root: Folder, name: string, node: Node): void {
  const parts = partsOf(name);
  const last = parts.pop();
  if (last === undefined) {
    if (node.kind === 'folder') root.attributes = node.attributes;
    return;
  }
  const folder = folderAt(root, parts, node.layer);
  if (last === OPAQUE) removeLower(folder, node.layer);
  // Other names of that kind belong to the file system of an early Docker.
  if (last.startsWith(`${WHITEOUT}${WHITEOUT}`)) return;
  if (last.startsWith(WHITEOUT)) whiteOut(folder, last.slice(WHITEOUT.length), node.layer);
  else put(folder, last, node);
}

function put(folder: Folder, last: string, node: Node): void {
  const before = folder.children.get(last);
  if (before?.kind === 'folder' && node.kind === 'folder') {
    before.layer = node.layer;
    before.attributes = node.attributes;
  } else folder.children.set(last, node);
}

/** What a hard link names. @throws BadLayer: nothing, or no file */
export function fileAt(root: Folder, name: string): FileNode | Link {
  const parts = partsOf(name);
  const last = parts.pop() ?? '';
  const found = folderAt(root, parts, -1).children.get(last);
  if (found === undefined || found.kind === 'folder')
    throw new BadLayer(`a hard link names ${JSON.stringify(name.slice(0, 200))}, which is no file of the image`);
  return found;
}

/** Walks to a folder, through links, and makes what is missing. `..` of a link stays at the root of the image, as in a chroot. */
function folderAt(root: Folder, parts: string[], layer: number): Folder {
  const rest = [...parts];
  let path: Folder[] = [root];
  let hops = 0;
  while (rest.length > 0) {
    const part = rest.shift() ?? '';
    const here = path.at(-1) ?? root;
    if (part === '..') {
      path = path.length > 1 ? path.slice(0, -1) : path;
      continue;
    }
    const next = here.children.get(part) ?? implicit(here, part, layer);
    if (next.kind === 'folder') path.push(next);
    else if (next.kind === 'file')
      throw new BadLayer(`${JSON.stringify(parts.join('/').slice(0, 200))} has a file on its way`);
    else {
      hops += 1;
      if (hops > HOPS_MAX)
        throw new BadLayer(`${JSON.stringify(parts.join('/').slice(0, 200))} is below a loop of links`);
      if (next.target.startsWith('/')) path = [root];
      rest.unshift(...next.target.split('/').filter((one) => one !== '' && one !== '.'));
      if (rest.length > PATH_MAX) throw new BadLayer('links lead too deep');
    }
  }
  return path.at(-1) ?? root;
}

function implicit(folder: Folder, name: string, layer: number): Folder {
  const made: Folder = { kind: 'folder', layer, attributes: IMPLICIT, children: new Map() };
  folder.children.set(name, made);
  return made;
}

function whiteOut(folder: Folder, name: string, layer: number): void {
  if (name === '' || name === '.' || name === '..') throw new BadLayer('a whiteout names no file');
  const found = folder.children.get(name);
  if (found !== undefined && isGone(found, layer)) folder.children.delete(name);
}

/** Removes what lower layers put into a folder, and keeps what this layer did. */
function removeLower(folder: Folder, layer: number): void {
  for (const [name, node] of folder.children) if (isGone(node, layer)) folder.children.delete(name);
}

function isGone(node: Node, layer: number): boolean {
  if (node.kind !== 'folder') return node.layer < layer;
  removeLower(node, layer);
  return node.layer < layer && node.children.size === 0;
}
