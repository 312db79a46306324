/** A kernel that caches all that the server allows: entries, attributes, data; and drops what it is told to. */
import { appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GuestError, type Rig, ROOT } from '../rig.ts';
import { name as nameBytes, OP } from '../wire.ts';

export interface Step {
  kind: string;
  path: string;
  other: string;
  text: string;
}

interface Cached {
  node: number;
  isFolder: boolean;
  until: number;
}

export class CachingKernel {
  readonly #rig: Rig;
  /** By folder and name */
  readonly #entries = new Map<string, Cached>();
  /** By node: the size and the bytes, each as long as it may be kept */
  readonly #sizes = new Map<number, { size: number; until: number }>();
  readonly #pages = new Map<number, string>();
  #seen = 0;

  /** @param isDeaf ignores what it is told to drop */
  constructor(rig: Rig, { isDeaf = false } = {}) {
    this.#rig = rig;
    if (isDeaf) this.#seen = Number.POSITIVE_INFINITY;
  }

  /** One edit, of the host or of a program inside; those that fail change nothing. */
  async apply(root: string, step: Step): Promise<void> {
    try {
      if (step.kind === 'read') await this.read(step.path);
      else if (step.kind.startsWith('guest')) await this.#guest(step);
      else edit(step.kind, { path: join(root, step.path), other: join(root, step.other), text: step.text });
    } catch (error) {
      if (!(error instanceof GuestError) && (error as NodeJS.ErrnoException).code === undefined) throw error;
    }
  }

  /** @returns undefined: no such file */
  async read(path: string): Promise<string | undefined> {
    this.#drop();
    let at: Cached = { node: ROOT, isFolder: true, until: 0 };
    for (const name of path.split('/')) at = await this.#lookup(at.node, name);
    if (at.node === 0) return undefined;
    if (at.isFolder) return 'folder';
    const size = await this.#sizeOf(at.node);
    return (await this.#contentOf(at.node)).slice(0, size);
  }

  async #guest({ kind, path, text }: Step): Promise<void> {
    this.#drop();
    const names = path.split('/');
    const name = names.pop() as string;
    let parent: number = ROOT;
    for (const one of names) parent = (await this.#lookup(parent, one)).node;
    const found = await this.#lookup(parent, name);
    if (found.node === 0) return;
    if (kind === 'guest-remove') {
      await this.#rig.unlink(parent, name);
      this.#entries.delete(`${parent}/${name}`);
      return;
    }
    const handle = await this.#rig.open(found.node, 1);
    await this.#rig.write(found.node, handle, text);
    await this.#rig.release(found.node, handle);
    // The kernel writes through its pages, and asks for the attributes again.
    const old = this.#pages.get(found.node);
    if (old !== undefined) this.#pages.set(found.node, text + old.slice(text.length));
    this.#sizes.delete(found.node);
  }

  async #lookup(parent: number, name: string): Promise<Cached> {
    const key = `${parent}/${name}`;
    const known = this.#entries.get(key);
    if (known !== undefined && known.until > Date.now()) return known;
    const body = await this.#ask(OP.LOOKUP, parent, nameBytes(name));
    if (body === undefined) return { node: 0, isFolder: false, until: 0 };
    const node = Number(body.readBigUInt64LE(0));
    const isFolder = node !== 0 && (body.readUInt32LE(40 + 60) & 0o170000) === 0o040000;
    const entry = { node, isFolder, until: Date.now() + 1000 * Number(body.readBigUInt64LE(16)) };
    // A folder has one name: what is known of it moves there (`d_splice_alias`).
    if (isFolder) for (const [other, { node: its }] of this.#entries) if (its === node) this.#entries.delete(other);
    this.#entries.set(key, entry);
    return entry;
  }

  async #sizeOf(node: number): Promise<number> {
    const known = this.#sizes.get(node);
    if (known !== undefined && known.until > Date.now()) return known.size;
    const body = await this.#rig.call(OP.GETATTR, node, Buffer.alloc(16));
    const size = Number(body.readBigUInt64LE(16 + 8));
    this.#sizes.set(node, { size, until: Date.now() + 1000 * Number(body.readBigUInt64LE(0)) });
    return size;
  }

  async #contentOf(node: number): Promise<string> {
    const opened = await this.#rig.call(OP.OPEN, node, Buffer.alloc(8));
    const handle = Number(opened.readBigUInt64LE(0));
    if ((opened.readUInt32LE(8) & 2) === 0) this.#pages.delete(node);
    const content = this.#pages.get(node) ?? (await this.#rig.read(node, handle)).toString();
    this.#pages.set(node, content);
    await this.#rig.release(node, handle);
    return content;
  }

  async #ask(opcode: number, node: number, body: Buffer): Promise<Buffer | undefined> {
    try {
      return await this.#rig.call(opcode, node, body);
    } catch (error) {
      if (error instanceof GuestError) return undefined;
      throw error;
    }
  }

  #drop(): void {
    for (const { code, body } of this.#rig.notifications.slice(this.#seen)) {
      const node = Number(body.readBigUInt64LE(0));
      if (code === 3) this.#entries.delete(`${node}/${body.toString('latin1', 16, body.length - 1)}`);
      if (code !== 2) continue;
      this.#sizes.delete(node);
      if (body.readBigInt64LE(8) >= 0n) this.#pages.delete(node);
    }
    this.#seen = Math.max(this.#seen, this.#rig.notifications.length);
  }
}

function edit(kind: string, { path, other, text }: { path: string; other: string; text: string }): void {
  if (kind === 'write') writeFileSync(path, text);
  else if (kind === 'append') appendFileSync(path, text);
  else if (kind === 'remove') rmSync(path, { recursive: true });
  else if (kind === 'rename') renameSync(path, other);
  else if (kind === 'mkdir') mkdirSync(path);
  else if (kind === 'replace') {
    writeFileSync(`${path}~`, text);
    renameSync(`${path}~`, path);
  }
}
