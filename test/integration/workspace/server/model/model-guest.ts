/** A guest's kernel that runs the calls of a model, and what both are compared by. */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect } from 'vitest';
import { GuestError, type Rig, ROOT } from '../rig.ts';
import { type Inode, type Model, ModelError } from './model.ts';

const path = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 }).map((names) => names.join('/'));
const data = fc.uint8Array({ maxLength: 40 }).map(Buffer.from);
const size = fc.nat(6000);

/** One call of the guest, as data so that a failing sequence can be printed and made shorter */
export const action = fc.oneof(
  fc.record({ do: fc.constantFrom('create', 'mkdir', 'unlink', 'rmdir', 'list', 'read'), path }),
  fc.record({ do: fc.constant('mkdir' as const), path }),
  fc.record({ do: fc.constantFrom('rename', 'exchange', 'link', 'symlink'), path, to: path }),
  fc.record({ do: fc.constant('write' as const), path, data, size }),
  fc.record({ do: fc.constant('truncate' as const), path, size }),
  fc.record({ do: fc.constant('forget' as const) }),
);

export interface Action {
  do: string;
  path?: string;
  to?: string;
  data?: Buffer;
  size?: number;
}

export function runModel(
  model: Model,
  { do: what, path = '', to = '', data = Buffer.alloc(0), size = 0 }: Action,
): unknown {
  if (what === 'create') return void model.create(path);
  if (what === 'mkdir') return void model.mkdir(path);
  if (what === 'unlink') return model.unlink(path);
  if (what === 'rmdir') return model.rmdir(path);
  if (what === 'list') return model.list(path);
  if (what === 'read') return model.read(path).toString('hex');
  if (what === 'rename') return model.rename(path, to);
  if (what === 'exchange') return model.exchange(path, to);
  if (what === 'link') return void model.link(path, to);
  if (what === 'symlink') return void model.symlink(path, to);
  if (what === 'write') return model.write(path, { offset: size, data });
  if (what === 'truncate') return model.truncate(path, size);
  return undefined;
}

/** Runs each action by the calls that a kernel makes for it. */
export class Guest {
  private readonly rig: Rig;
  private readonly model: Model;
  private readonly looked = new Map<number, number>();
  /** Nodes that it holds and uses without another lookup */
  private readonly held = new Map<Inode, number>();

  private readonly goneFolder: unknown[];

  /** @param hidesFolders one that is removed may still be on the disk, and cannot be used any more then */
  constructor(rig: Rig, model: Model, { hidesFolders = false } = {}) {
    this.rig = rig;
    this.model = model;
    this.goneFolder = [{ result: '4 0' }, ...(hidesFolders ? [{ errno: 116 }] : [])];
  }

  /** Each held node is still its file, wherever that was moved. Once the last name is gone a file is stale, and a folder has no links. */
  async check(): Promise<void> {
    const names = namesIn(this.model.root);
    for (const [inode, node] of this.held) {
      const count = names.get(inode) ?? 0;
      const found = await outcome(async () => {
        const { mode, nlink } = await this.rig.getattr(node);
        return `${mode >> 12}${nlink === 0 ? ' 0' : ''}`;
      });
      const type = { file: '8', directory: '4', symlink: '10' }[inode.kind];
      if (count === 0 && inode.kind === 'directory') expect(this.goneFolder).toContainEqual(found);
      else if (count === 0) expect(found).toEqual({ errno: 116 });
      // Of a file with more names the server may know one that is gone.
      else if (inode.kind === 'directory' || !this.model.linked.has(inode)) expect(found).toEqual({ result: type });
    }
  }

  async run({ do: what, path = '', to = '', data = Buffer.alloc(0), size = 0 }: Action): Promise<unknown> {
    const { rig } = this;
    if (what === 'forget') return this.forget();
    if (what === 'rename' || what === 'exchange')
      return rig.rename(await this.place(path), await this.place(to), what === 'exchange' ? 2 : 0);
    if (what === 'link') {
      const node = await this.node(path);
      this.count(await rig.link(node, ...(await this.place(to))));
      return undefined;
    }
    const [parent, name] = await this.place(path);
    if (what === 'create') {
      const { node, handle } = await rig.create(parent, name, { flags: 0o302 });
      this.count({ node });
      return rig.release(node, handle);
    }
    if (what === 'mkdir') return this.count(await rig.mkdir(parent, name));
    if (what === 'symlink') return this.count(await rig.symlink(parent, name, to));
    if (what === 'unlink') return rig.unlink(parent, name);
    if (what === 'rmdir') return rig.rmdir(parent, name);
    return this.use(await this.node(path), { what, data, size });
  }

  private async use(node: number, { what, data, size }: { what: string; data: Buffer; size: number }) {
    const { rig } = this;
    if (what === 'truncate') return void (await rig.setattr(node, { size }));
    if (what === 'list') {
      const found = await rig.list(node, { size: 256, plus: size % 2 === 1 });
      return found
        .map((entry) => entry.name.toString())
        .filter((name) => !name.startsWith('.'))
        .sort();
    }
    const handle = await rig.open(node, what === 'write' ? 1 : 0);
    const result =
      what === 'write'
        ? void (await rig.write(node, handle, data, { offset: size }))
        : (await rig.read(node, handle, { size: 65_536 })).toString('hex');
    await rig.release(node, handle);
    return result;
  }

  private async place(path: string): Promise<[number, string]> {
    const names = path.split('/');
    const name = names.pop() ?? '';
    const parent = names.length === 0 ? ROOT : await this.node(names.join('/'));
    if (names.length > 0 && this.model.peek(names.join('/'))?.kind !== 'directory') throw new GuestError(20);
    return [parent, name];
  }

  private async node(path: string): Promise<number> {
    const inode = this.model.peek(path);
    const held = inode === undefined ? undefined : this.held.get(inode);
    if (held !== undefined) return held;
    const names = path.split('/');
    const name = names.pop() ?? '';
    const parent = names.length === 0 ? ROOT : await this.node(names.join('/'));
    const { node } = this.count(await this.rig.lookup(parent, name));
    if (inode !== undefined) this.held.set(inode, node);
    return node;
  }

  private count<T extends { node: number }>(entry: T): T {
    this.looked.set(entry.node, (this.looked.get(entry.node) ?? 0) + 1);
    return entry;
  }

  /** The kernel drops all that it caches. */
  private forget(): undefined {
    for (const [node, count] of this.looked) this.rig.forget(node, count);
    this.looked.clear();
    this.held.clear();
  }
}

/** A result, or an errno: comparable on both sides */
export async function outcome(run: () => unknown): Promise<unknown> {
  try {
    const result = await run();
    return { result: typeof result === 'string' || Array.isArray(result) ? result : undefined };
  } catch (error) {
    if (error instanceof ModelError || error instanceof GuestError) return { errno: error.errno };
    throw error;
  }
}

export function modelTree(inode: Inode): unknown {
  if (inode.kind === 'file') return inode.data.toString('hex');
  if (inode.kind === 'symlink') return { target: inode.target };
  return new Map([...inode.entries].sort().map(([name, child]) => [name, modelTree(child)]));
}

export function readTree(path: string): unknown {
  const stat = lstatSync(path);
  if (stat.isFile()) return readFileSync(path, 'hex');
  if (stat.isSymbolicLink()) return { target: readlinkSync(path) };
  return new Map(
    readdirSync(path)
      .sort()
      .map((name) => [name, readTree(join(path, name))]),
  );
}

function namesIn(root: Inode, counts = new Map<Inode, number>()): Map<Inode, number> {
  if (root.kind === 'directory')
    for (const child of root.entries.values()) {
      counts.set(child, (counts.get(child) ?? 0) + 1);
      namesIn(child, counts);
    }
  return counts;
}
