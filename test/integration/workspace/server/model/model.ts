/** A file system in memory, with the errors of Linux: what the server must look like to its guest. */

interface File {
  kind: 'file';
  data: Buffer;
}
interface Directory {
  kind: 'directory';
  entries: Map<string, Inode>;
}
interface Symlink {
  kind: 'symlink';
  target: string;
}
export type Inode = File | Directory | Symlink;

const ERRNO = { EPERM: 1, ENOENT: 2, EEXIST: 17, ENOTDIR: 20, EISDIR: 21, EINVAL: 22, ENOTEMPTY: 39, ELOOP: 40 };

export class ModelError extends Error {
  readonly errno: number;

  constructor(name: keyof typeof ERRNO) {
    super(name);
    this.errno = ERRNO[name];
  }
}

export class Model {
  readonly root: Directory = { kind: 'directory', entries: new Map() };

  /** Files that had more than one name */
  readonly linked = new Set<Inode>();

  peek(path: string): Inode | undefined {
    try {
      return this.find(path);
    } catch {
      return undefined;
    }
  }

  find(path: string): Inode {
    let inode: Inode = this.root;
    for (const name of path.split('/')) {
      if (inode.kind !== 'directory') throw new ModelError('ENOTDIR');
      inode = inode.entries.get(name) ?? raise('ENOENT');
    }
    return inode;
  }

  create(path: string): Inode {
    return this.add(path, () => ({ kind: 'file', data: Buffer.alloc(0) }));
  }

  mkdir(path: string): Inode {
    return this.add(path, () => ({ kind: 'directory', entries: new Map() }));
  }

  symlink(path: string, target: string): Inode {
    return this.add(path, () => ({ kind: 'symlink', target }));
  }

  write(path: string, { offset, data }: { offset: number; data: Buffer }): void {
    const file = this.file(path, 'ELOOP');
    if (data.length === 0) return;
    file.data = resized(file.data, Math.max(file.data.length, offset + data.length));
    data.copy(file.data, offset);
  }

  read(path: string): Buffer {
    return this.file(path, 'ELOOP').data;
  }

  truncate(path: string, size: number): void {
    const file = this.file(path, 'EINVAL');
    file.data = resized(file.data, size);
  }

  link(from: string, to: string): Inode {
    const inode = this.find(from);
    const { parent, name } = this.parent(to);
    if (inode.kind === 'directory') throw new ModelError('EPERM');
    if (parent.entries.has(name)) throw new ModelError('EEXIST');
    parent.entries.set(name, inode);
    this.linked.add(inode);
    return inode;
  }

  rename(from: string, to: string): void {
    const { source, target, a, b } = this.pair(from, to);
    if (`${to}/`.startsWith(`${from}/`) && from !== to) throw new ModelError('EINVAL');
    if (`${from}/`.startsWith(`${to}/`) && from !== to) throw new ModelError('ENOTEMPTY');
    if (source === target) return;
    if (target !== undefined) requireReplaceable(source, target);
    a.parent.entries.delete(a.name);
    b.parent.entries.set(b.name, source);
  }

  exchange(from: string, to: string): void {
    const { source, target = raise('ENOENT'), a, b } = this.pair(from, to);
    const nested = `${to}/`.startsWith(`${from}/`) || `${from}/`.startsWith(`${to}/`);
    if (nested && from !== to) throw new ModelError('EINVAL');
    a.parent.entries.set(a.name, target);
    b.parent.entries.set(b.name, source);
  }

  unlink(path: string): void {
    const { parent, name } = this.parent(path);
    if ((parent.entries.get(name) ?? raise('ENOENT')).kind === 'directory') throw new ModelError('EISDIR');
    parent.entries.delete(name);
  }

  rmdir(path: string): void {
    const { parent, name } = this.parent(path);
    const inode = parent.entries.get(name) ?? raise('ENOENT');
    if (inode.kind !== 'directory') throw new ModelError('ENOTDIR');
    if (inode.entries.size > 0) throw new ModelError('ENOTEMPTY');
    parent.entries.delete(name);
  }

  list(path: string): string[] {
    const inode = this.find(path);
    return inode.kind === 'directory' ? [...inode.entries.keys()].sort() : raise('ENOTDIR');
  }

  private add(path: string, make: () => Inode): Inode {
    const { parent, name } = this.parent(path);
    if (parent.entries.has(name)) throw new ModelError('EEXIST');
    const inode = make();
    parent.entries.set(name, inode);
    return inode;
  }

  private pair(from: string, to: string) {
    const [a, b] = [this.parent(from), this.parent(to)];
    const source = a.parent.entries.get(a.name) ?? raise('ENOENT');
    return { source, target: b.parent.entries.get(b.name), a, b };
  }

  private file(path: string, linkError: 'ELOOP' | 'EINVAL'): File {
    const inode = this.find(path);
    if (inode.kind === 'file') return inode;
    throw new ModelError(inode.kind === 'directory' ? 'EISDIR' : linkError);
  }

  private parent(path: string): { parent: Directory; name: string } {
    const names = path.split('/');
    const name = names.pop() ?? '';
    const parent = names.length === 0 ? this.root : this.find(names.join('/'));
    return parent.kind === 'directory' ? { parent, name } : raise('ENOTDIR');
  }
}

function requireReplaceable(source: Inode, target: Inode): void {
  if (source.kind === 'directory' && target.kind !== 'directory') throw new ModelError('ENOTDIR');
  if (source.kind !== 'directory' && target.kind === 'directory') throw new ModelError('EISDIR');
  if (target.kind === 'directory' && target.entries.size > 0) throw new ModelError('ENOTEMPTY');
}

function resized(data: Buffer, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  data.copy(bytes);
  return bytes;
}

function raise(name: keyof typeof ERRNO): never {
  throw new ModelError(name);
}
