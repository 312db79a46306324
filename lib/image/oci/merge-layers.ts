/** Merges the layers of an image into one tar that holds only folders, files and links of the image itself. Runs in a jail: the layers are hostile input. */

import { spawn } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import { type Duplex, PassThrough, type Readable, Transform, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract, type Header, type Pack, pack } from 'tar-stream';
import {
  type Attributes,
  BadLayer,
  type Content,
  emptyTree,
  type FileNode,
  type Folder,
  fileAt,
  type Link,
  type Node,
  place,
} from './layer-tree.ts';

export interface MergeJob {
  /** Bottom first */
  layers: { path: string; compression: 'gzip' | 'zstd' | 'none' }[];
  target: string;
  limits: MergeLimits;
}

interface MergeLimits {
  /** Of all layers, unpacked, in bytes */
  bytes: number;
  entries: number;
  /** Of this process, in bytes */
  memory: number;
}

/** @throws BadLayer with one line for people */
export async function mergeLayers({ layers, target, limits }: MergeJob): Promise<void> {
  const count = { bytes: 0, entries: 0 };
  const root = emptyTree();
  for (const [layer, { path, compression }] of layers.entries())
    await eachEntry({ path, compression, limits, count }, layer, (header, entry) => {
      const node = nodeOf(root, header, { layer, entry });
      if (node !== undefined) place(root, header.name, node);
    });
  const tar = pack();
  const written = pipeline(tar, createWriteStream(target, { flags: 'w', mode: 0o600 }));
  await Promise.all([written, writeTree(tar, root, layers, limits)]);
}

interface Source {
  path: string;
  compression: MergeJob['layers'][number]['compression'];
  limits: MergeLimits;
  count: { bytes: number; entries: number };
}

/** The unpacked bytes. Node learned zstd after the version that the host may have. */
function opened(path: string, compression: Source['compression']): Readable {
  if (compression === 'zstd') return unzstd(path);
  const unpacked: Duplex = compression === 'gzip' ? createGunzip() : new PassThrough();
  const file = createReadStream(path);
  file.once('error', (error) => unpacked.destroy(error));
  return file.pipe(unpacked);
}

function unzstd(path: string): Readable {
  const child = spawn('zstd', ['-dcq', '--memory=256MB', path], { stdio: ['ignore', 'pipe', 'ignore'] });
  const bytes = new PassThrough();
  child.once('error', (error) => bytes.destroy(error));
  child.stdout.pipe(bytes, { end: false });
  child.once('close', (code) => (code === 0 ? bytes.end() : bytes.destroy(new Error('its zstd data is damaged'))));
  bytes.once('close', () => child.kill());
  return bytes;
}

const BLOCK = 512;

type OnEntry = (header: Header, entry: number, content: Readable) => Promise<void> | void;

/** Reads one layer from its start to its end. */
async function eachEntry({ path, compression, limits, count }: Source, layer: number, onEntry: OnEntry): Promise<void> {
  const tar = extract();
  let length = 0;
  const bounded = new Transform({
    transform(chunk: Buffer, _, done) {
      length += chunk.length;
      count.bytes += chunk.length;
      if (count.bytes > limits.bytes) done(new BadLayer(`the image has more than ${limits.bytes} bytes`));
      else if (process.memoryUsage.rss() > limits.memory)
        done(new BadLayer('the headers of a layer take too much memory'));
      else done(null, chunk);
    },
    // umoci ends an inserted layer without the padding of its last file.
    flush: (done) => done(null, Buffer.alloc((BLOCK - (length % BLOCK)) % BLOCK)),
  });
  const read = pipeline(opened(path, compression), bounded, tar);
  read.catch(() => {});
  let entry = 0;
  try {
    for await (const each of tar) {
      count.entries += 1;
      if (count.entries > limits.entries) throw new BadLayer(`the image has more than ${limits.entries} entries`);
      await onEntry(each.header, entry, each as unknown as Readable);
      each.resume();
      entry += 1;
    }
    await read;
  } catch (error) {
    throw new BadLayer(`layer ${layer + 1}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Undefined: left out. Devices come from the guest's own kernel. */
function nodeOf(root: Folder, header: Header, at: { layer: number; entry: number }): Node | undefined {
  const attributes = attributesOf(header);
  const { layer, entry } = at;
  switch (header.type) {
    case 'directory':
      return { kind: 'folder', layer, attributes, children: new Map() };
    case 'file':
    case 'contiguous-file':
      return { kind: 'file', layer, attributes, size: header.size ?? 0, content: { layer, entry } };
    case 'symlink':
      return { kind: 'link', layer, attributes, target: targetOf(header) };
    case 'link':
      return { ...fileAt(root, targetOf(header)), layer };
    case 'character-device':
    case 'block-device':
    case 'fifo':
      return undefined;
    default:
      throw new BadLayer(`an entry has the unknown type ${header.type}`);
  }
}

function targetOf({ linkname }: Header): string {
  if (linkname && linkname.length <= 4096 && !linkname.includes('\0')) return linkname;
  throw new BadLayer('a link has no valid target');
}

function attributesOf({ mode = 0o644, uid = 0, gid = 0, mtime }: Header): Attributes {
  const id = (value: number) => (Number.isSafeInteger(value) && value >= 0 && value < 2 ** 32 - 1 ? value : 0);
  const time = mtime?.getTime() ?? 0;
  return { mode: mode & 0o7777, uid: id(uid), gid: id(gid), mtime: Number.isFinite(time) && time > 0 ? time : 0 };
}

/**
 * Folders, then files, then hard links, symbolic links last: while this tar is unpacked, no name has a link on its way.
 */
async function writeTree(tar: Pack, root: Folder, layers: MergeJob['layers'], limits: MergeLimits): Promise<void> {
  const found = collect(root);
  for (const [name, folder] of found.folders)
    await write(tar, { name, type: 'directory', ...plain(folder.attributes) });
  const count = { bytes: 0, entries: 0 };
  for (const [layer, source] of layers.entries()) {
    const wanted = found.contents.get(layer);
    if (wanted === undefined) continue;
    await eachEntry({ ...source, limits, count }, layer, async (_, entry, content) => {
      const one = wanted.get(entry);
      if (one === undefined) return;
      const [name, { attributes, size }] = one;
      await write(tar, { name, type: 'file', size, ...plain(attributes) }, content);
    });
  }
  for (const [name, linkname] of found.hardLinks) await write(tar, { name, type: 'link', linkname });
  for (const [name, { target, attributes }] of found.links)
    await write(tar, { name, type: 'symlink', linkname: target, ...plain(attributes) });
  tar.finalize();
}

interface Collected {
  folders: [string, Folder][];
  /** By layer and entry */
  contents: Map<number, Map<number, [string, FileNode]>>;
  /** Name and the name that has the content */
  hardLinks: [string, string][];
  links: [string, Link][];
}

function collect(root: Folder): Collected {
  const found: Collected = { folders: [], contents: new Map(), hardLinks: [], links: [] };
  const first = new Map<Content, string>();
  const open: [string, Folder][] = [['.', root]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [path, folder] = next;
    found.folders.push([`${path}/`, folder]);
    for (const [name, node] of folder.children) {
      const at = `${path}/${name}`;
      if (node.kind === 'folder') open.push([at, node]);
      else if (node.kind === 'link') found.links.push([at, node]);
      else if (first.has(node.content)) found.hardLinks.push([at, first.get(node.content) ?? '']);
      else {
        const { layer, entry } = node.content;
        first.set(node.content, at);
        const inLayer = found.contents.get(layer) ?? new Map<number, [string, FileNode]>();
        found.contents.set(layer, inLayer.set(entry, [at, node]));
      }
    }
  }
  return found;
}

function plain({ mode, uid, gid, mtime }: Attributes): Pick<Header, 'mode' | 'uid' | 'gid'> & { mtime: Date } {
  return { mode, uid, gid, mtime: new Date(mtime) };
}

async function write(tar: Pack, header: Partial<Header> & { name: string }, content?: Readable): Promise<void> {
  if (content !== undefined) return pipeline(content, tar.entry(header as Header) as unknown as Writable);
  await new Promise<void>((resolve, reject) => {
    tar.entry(header as Header, (error) => (error ? reject(error) : resolve()));
  });
}
