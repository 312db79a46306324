import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { errnoOf, Rig, ROOT } from './rig.ts';
import { frame, name, OP, pack, u32, u64 } from './wire.ts';

const [ENOENT, EBADF, EINVAL, ENFILE, ENOSYS, ESTALE] = [2, 9, 22, 23, 38, 116];
const CANARY = 'canary outside of the root';

let base: string;
let folder: string;
const at = (path: string) => join(folder, path);

/** A root with a few files, and beside it what no guest may reach */
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'sbx-hostile-'));
  folder = join(base, 'root');
  mkdirSync(join(folder, 'dir/sub'), { recursive: true });
  writeFileSync(at('file'), 'content');
  writeFileSync(at('dir/file'), 'inner');
  symlinkSync(base, at('link'));
  mkdirSync(join(base, 'outside'));
  writeFileSync(join(base, 'outside/canary'), CANARY);
});

afterEach(() => {
  expect(readFileSync(join(base, 'outside/canary'), 'utf8')).toBe(CANARY);
  expect(readdirSync(join(base, 'outside'))).toEqual(['canary']);
  expect(readdirSync(base).sort()).toEqual(['outside', 'root']);
  // Not rmSync: it recurses, and 4,000 levels are too deep for its stack.
  execFileSync('rm', ['-rf', base]);
});

const SILENT: number[] = [OP.FORGET, OP.BATCH_FORGET, OP.INTERRUPT, 41];

describe('messages of any bytes', () => {
  const opcode = fc.oneof(fc.constantFrom(...Object.values(OP)), fc.nat(0xffff_ffff));
  const node = fc.oneof(fc.nat(8), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
  const word = fc.oneof(fc.nat(9), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })).map((value) => pack(u64(value)));
  const text = fc
    .constantFrom('file', 'dir', 'sub', 'link', 'new', '..', '.', '/', 'user.x', '../outside/canary')
    .map(name);
  const body = fc.array(fc.oneof(word, text, fc.uint8Array({ maxLength: 24 }).map(Buffer.from)), { maxLength: 8 });

  it('are answered, never crash the server, and reach nothing outside', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(opcode, node, body.map(Buffer.concat)), { maxLength: 60, size: 'max' }),
        async (messages) => {
          await using rig = await Rig.mount(folder);
          const others = messages.filter(([op]) => op !== OP.INIT && op !== OP.DESTROY);
          const replies = others.map(async ([op, id, bytes]) => {
            if (SILENT.includes(op)) return rig.send(op, id, bytes);
            const reply = await rig.call(op, id, bytes).catch(() => Buffer.alloc(0));
            expect(reply.includes(CANARY)).toBe(false);
          });
          await Promise.all(replies);
          expect(await rig.getattr(ROOT)).toBeDefined();
          expect(rig.errors).toEqual([]);
        },
      ),
      { numRuns: 150 },
    );
  });

  it.each([
    ['a length of 0', pack(u32(0), Buffer.alloc(60))],
    ['a length below the header', pack(u32(39), Buffer.alloc(60))],
    ['a length over the largest WRITE', pack(u32(1024 * 1024 + 4097), Buffer.alloc(60))],
    ['the largest length', pack(u32(0xffff_ffff), Buffer.alloc(60))],
    ['a second INIT', frame({ opcode: OP.INIT, unique: 9, node: 0 }, pack(u32(7), u32(31), u32(0), u32(0)))],
    ['an INIT cut short', frame({ opcode: OP.INIT, unique: 9, node: 0 }, pack(u32(7)))],
  ])('end the session: %s', async (_, bytes) => {
    await using rig = await Rig.mount(folder);
    rig.stream.write(bytes);
    await rig.session.closed;
    expect(rig.errors).toEqual([]);
  });

  it('end the session before INIT', async () => {
    await using rig = await Rig.mount(folder, { unmounted: true });
    rig.send(OP.LOOKUP, ROOT, name('file'));
    await rig.session.closed;
  });

  it('of an unsupported version end the session, those of a newer one are asked again', async () => {
    await using old = await Rig.mount(folder, { unmounted: true });
    void old.init(8);
    await old.session.closed;
    await using fresh = await Rig.mount(folder, { unmounted: true });
    expect((await fresh.init(0, 8)).readUInt32LE(0)).toBe(7);
    expect((await fresh.init(40)).readUInt32LE(4)).toBe(31);
  });

  it('arrive in any pieces', async () => {
    await using rig = await Rig.mount(folder);
    const messages = ['file', 'dir', 'link'].map((text, index) =>
      frame({ opcode: OP.LOOKUP, unique: 100 + index, node: ROOT }, name(text)),
    );
    for (const byte of Buffer.concat(messages)) rig.stream.write(Buffer.from([byte]));
    expect((await rig.lookup(ROOT, 'file')).attr.size).toBe(7);
  });

  it('with sizes that lie are EINVAL', async () => {
    await using rig = await Rig.mount(folder);
    const { node, handle } = await rig.create(ROOT, 'new');
    const write = pack(u64(handle), u64(0), u32(1000), u32(0), u64(0), u32(0), u32(0), Buffer.alloc(999));
    const failing = [
      rig.call(OP.WRITE, node, write),
      rig.call(OP.SETXATTR, node, pack(u32(9), u32(0), name('user.x'), Buffer.alloc(8))),
      rig.call(OP.LOOKUP, ROOT, Buffer.from('no end')),
      rig.call(OP.SYMLINK, ROOT, name('only one')),
      rig.call(OP.GETATTR, node, Buffer.alloc(8)),
      rig.read(node, handle, { size: 1024 * 1024 + 1 }),
      rig.read(node, handle, { size: 0xffff_ffff }),
    ];
    for (const call of failing) expect(await errnoOf(call)).toBe(EINVAL);
    expect(statSync(at('new')).size).toBe(0);
    rig.send(OP.BATCH_FORGET, 0, pack(u32(0xffff_ffff), u32(0), u64(node), u64(1)));
    expect((await rig.lookup(ROOT, 'new')).attr.size).toBe(0);
  });
});

describe('unknown nodes and handles', () => {
  it('are ESTALE and EBADF for every call', async () => {
    await using rig = await Rig.mount(folder);
    const { node } = await rig.lookup(ROOT, 'file');
    const body = Buffer.concat([Buffer.alloc(88), name('x')]);
    const stale = Object.values(OP).filter((op) => ![...SILENT, OP.INIT, OP.DESTROY].includes(op));
    for (const op of stale)
      for (const id of [77_777, 2n ** 63n, 0])
        expect([ESTALE, ENOSYS, EINVAL, 25], `opcode ${op}`).toContain(await errnoOf(rig.call(op, id, body)));
    const handles = [OP.READ, OP.WRITE, OP.FSYNC, OP.RELEASE, OP.FALLOCATE, OP.READDIR, OP.RELEASEDIR];
    for (const op of handles)
      for (const handle of [0, 99, 2n ** 64n - 1n])
        expect(await errnoOf(rig.call(op, node, pack(u64(handle), Buffer.alloc(80)))), `opcode ${op}`).toBe(EBADF);
  });

  it('do not mix: a handle belongs to its node and its kind', async () => {
    await using rig = await Rig.mount(folder);
    const file = await rig.lookup(ROOT, 'file');
    const other = await rig.walk('dir/file');
    const handle = await rig.open(file.node);
    expect(await errnoOf(rig.read(other.node, handle))).toBe(EBADF);
    expect(await errnoOf(rig.readdir(file.node, handle))).toBe(EBADF);
    expect(await errnoOf(rig.release(other.node, handle))).toBe(EBADF);
    const dir = await rig.opendir(ROOT);
    expect(await errnoOf(rig.read(ROOT, dir))).toBe(EBADF);
    await rig.release(file.node, handle);
    expect(await errnoOf(rig.release(file.node, handle))).toBe(EBADF);
  });
});

describe('floods', () => {
  it('of forgets beyond the lookups only forget', async () => {
    await using rig = await Rig.mount(folder);
    const { node } = await rig.lookup(ROOT, 'dir');
    const inner = await rig.lookup(node, 'file');
    for (const count of [1, 5, 2n ** 64n - 1n]) rig.forget(node, count);
    for (let index = 0; index < 1000; index++) rig.forget(ROOT, 2n ** 63n);
    rig.send(OP.BATCH_FORGET, 0, pack(u32(3), u32(0), u64(node), u64(9), u64(77), u64(1), u64(2n ** 64n - 1n), u64(0)));
    // The folder stays while a node below it is known
    expect((await rig.getattr(inner.node)).size).toBe(5);
    rig.forget(inner.node, 99);
    expect(await errnoOf(rig.getattr(inner.node))).toBe(ESTALE);
    expect(await errnoOf(rig.getattr(node))).toBe(ESTALE);
    expect((await rig.lookup(ROOT, 'dir')).node).not.toBe(node);
  });

  it('of nodes and handles end in ENFILE, and forgetting makes room', async () => {
    await using rig = await Rig.mount(folder, { limits: { nodes: 4, handles: 2, directoryFds: 1 } });
    const file = await rig.lookup(ROOT, 'file');
    await rig.walk('dir/sub');
    expect(await errnoOf(rig.lookup(ROOT, 'link'))).toBe(ENFILE);
    expect(await errnoOf(rig.create(ROOT, 'new'))).toBe(ENFILE);
    expect(readdirSync(folder)).not.toContain('new');
    const first = await rig.open(file.node);
    await rig.open(file.node);
    expect(await errnoOf(rig.open(file.node))).toBe(ENFILE);
    expect(await errnoOf(rig.opendir(ROOT))).toBe(ENFILE);
    await rig.release(file.node, first);
    const listed = await rig.list(ROOT, { plus: true });
    expect(listed.find((one) => one.name.toString() === 'link')?.entry?.node).toBe(0);
    await rig.unlink(ROOT, 'file');
    await rig.release(file.node, 2);
    rig.forget(file.node, 9);
    expect((await rig.lookup(ROOT, 'link')).node).toBeGreaterThan(ROOT);
  });

  it('of lookups leave nothing behind once they are forgotten', async () => {
    await using rig = await Rig.mount(folder, { limits: { nodes: 50 } });
    for (let index = 0; index < 500; index++) {
      const { node } = await rig.create(ROOT, `f${index}`).then(async (made) => {
        await rig.release(made.node, made.handle);
        return made;
      });
      rig.forget(node, 1);
    }
    expect(rig.session.save().nodes).toHaveLength(1);
  });

  it('of reads that are not taken stop the server from reading', async () => {
    const mebi = 1024 * 1024;
    await using rig = await Rig.mount(folder);
    const { node, handle } = await rig.create(ROOT, 'large');
    await rig.setattr(node, { size: mebi });
    rig.stream.pause();
    const replies = Array.from({ length: 60 }, () => rig.read(node, handle, { size: mebi }));
    let queued = -1;
    while (queued !== rig.host.writableLength) {
      queued = rig.host.writableLength;
      await new Promise(setImmediate);
    }
    expect(queued).toBeGreaterThan(mebi);
    expect(queued).toBeLessThan(10 * mebi);
    rig.stream.resume();
    expect((await Promise.all(replies)).every((reply) => reply.length === mebi)).toBe(true);
  });
});

describe('floods of requests with small replies', () => {
  it.each(['READ', 'READDIR'] as const)('hold no memory for the size that a %s asked for', async (what) => {
    await using rig = await Rig.mount(folder);
    const { node, handle } = await rig.create(ROOT, 'empty');
    const listing = await rig.opendir(ROOT);
    rig.stream.pause();
    const size = 1024 * 1024;
    const calls = Array.from({ length: 20_000 }, () =>
      what === 'READ' ? rig.read(node, handle, { size }) : rig.readdir(ROOT, listing, { offset: 99, size }),
    );
    let queued = -1;
    while (queued !== rig.host.writableLength) {
      queued = rig.host.writableLength;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    // 16 bytes each: far from the bound in bytes, and still the server stopped
    expect(queued).toBeLessThan(20_000 * 16);
    expect(process.memoryUsage().arrayBuffers).toBeLessThan(200 * 1024 * 1024);
    rig.stream.resume();
    expect(await Promise.all(calls)).toHaveLength(20_000);
  });
});

describe('a folder that the host moves out of the root', () => {
  it('is not reached any more as soon as its path is walked again', async () => {
    let now = 0;
    await using rig = await Rig.mount(folder, { now: () => now });
    const dir = await rig.lookup(ROOT, 'dir');
    const sub = await rig.lookup(dir.node, 'sub');
    await rig.list(sub.node);
    renameSync(at('dir'), join(base, 'outside/dir'));
    now = 1000;
    const calls = [
      rig.lookup(sub.node, 'x'),
      rig.create(sub.node, 'planted'),
      rig.opendir(dir.node),
      rig.getattr(dir.node),
    ];
    for (const call of calls) expect(await errnoOf(call)).toBe(ESTALE);
    renameSync(join(base, 'outside/dir'), at('dir'));
    expect((await rig.getattr(sub.node)).nlink).toBe(2);
  });
});

describe('paths', () => {
  it('of 4,000 levels work', async () => {
    await using rig = await Rig.mount(folder);
    let { node } = await rig.mkdir(ROOT, 'n');
    for (let level = 1; level < 4000; level++) node = (await rig.mkdir(node, 'n')).node;
    const { handle, ...made } = await rig.create(node, 'deep');
    await rig.write(made.node, handle, 'deep');
    expect((await rig.getattr(made.node)).size).toBe(4);
    expect((await rig.list(node)).map((one) => one.name.toString()).sort()).toEqual(['.', '..', 'deep']);
  });

  it('that form a ring after races of the host end in an error', async () => {
    let now = 0;
    await using rig = await Rig.mount(folder, { now: () => now });
    mkdirSync(at('a/b'), { recursive: true });
    const a = await rig.lookup(ROOT, 'a');
    const b = await rig.lookup(a.node, 'b');
    await rig.lookup(b.node, 'x').catch(() => undefined);
    renameSync(at('a/b'), at('b'));
    renameSync(at('a'), at('b/a'));
    await rig.lookup(b.node, 'a');
    const c = await rig.mkdir(a.node, 'c');
    now = 1001;
    expect(await errnoOf(rig.opendir(c.node))).toBe(ESTALE);
  });
});

describe('a link that the host puts in the place of a folder', () => {
  /** The guest knows dir and dir/file; then dir is a link to the folder outside. */
  async function swapped(rig: Rig): Promise<{ dir: number; file: number }> {
    writeFileSync(at('dir/canary'), 'inside');
    const dir = await rig.lookup(ROOT, 'dir');
    const file = await rig.lookup(dir.node, 'canary');
    renameSync(at('dir'), at('moved'));
    symlinkSync('../outside', at('dir'));
    return { dir: dir.node, file: file.node };
  }

  it('is not followed', async () => {
    await using rig = await Rig.mount(folder, { folderMaxAgeMs: 0 });
    const { dir, file } = await swapped(rig);
    const failing = [
      rig.lookup(dir, 'canary'),
      rig.open(file),
      rig.getattr(file),
      rig.setattr(file, { size: 0 }),
      rig.setattr(file, { mode: 0o777 }),
      rig.create(dir, 'planted'),
      rig.mkdir(dir, 'planted'),
      rig.symlink(dir, 'planted', 'x'),
      rig.unlink(dir, 'canary'),
      rig.rename([dir, 'canary'], [ROOT, 'stolen']),
      rig.link(file, ROOT, 'linked'),
      rig.opendir(dir),
    ];
    for (const call of failing) expect(await errnoOf(call)).toBe(ESTALE);
    expect((await rig.lookup(ROOT, 'dir')).attr.mode & 0o170000).toBe(0o120000);
  });

  it('is followed without the control: the canary is read', async () => {
    const { openFollowing } = await import('./following.ts');
    await using rig = await Rig.mount(folder, { folderMaxAgeMs: 0, openFolder: openFollowing });
    const { dir } = await swapped(rig);
    const { node } = await rig.lookup(dir, 'canary');
    expect((await rig.read(node, await rig.open(node))).toString()).toBe(CANARY);
  });

  it('is not followed in a race with a guest that walks the path', async () => {
    const { exchanging } = await import('./following.ts');
    writeFileSync(at('dir/canary'), 'inside');
    await using rig = await Rig.mount(folder, { folderMaxAgeMs: 0 });
    await using swaps = exchanging({ folder, one: 'dir', other: 'swap', target: '../outside' });
    const seen = new Set<string>();
    for (let round = 0; round < 1500; round++) {
      const found = await readThrough(rig).catch((error: { errno?: number }) => `errno ${error.errno}`);
      seen.add(found);
      await rig
        .walk('dir')
        .then(({ node }) => rig.create(node, 'planted'))
        .catch(() => undefined);
      await rig
        .walk('dir')
        .then(({ node }) => rig.unlink(node, 'planted'))
        .catch(() => undefined);
    }
    expect(await swaps.count()).toBeGreaterThan(10);
    expect(seen).toContain('inside');
    for (const text of seen) expect(text).toMatch(/^(inside|errno \d+)$/);
  });

  async function readThrough(rig: Rig): Promise<string> {
    const dir = await rig.lookup(ROOT, 'dir');
    const { node } = await rig.lookup(dir.node, 'canary');
    const handle = await rig.open(node);
    const content = (await rig.read(node, handle)).toString();
    await rig.release(node, handle);
    return content;
  }
});

describe('two roots', () => {
  it('are listed by a folder that cannot change, and neither reaches the other', async () => {
    const roots = [
      { name: 'one', path: folder },
      { name: 'two', path: at('dir') },
    ];
    await using rig = await Rig.mount(folder, { roots });
    expect((await rig.list(ROOT, { plus: true })).map((one) => one.name.toString())).toEqual(['.', '..', 'one', 'two']);
    const two = await rig.lookup(ROOT, 'two');
    expect((await rig.lookup(two.node, 'file')).attr.size).toBe(5);
    expect(await errnoOf(rig.lookup(ROOT, 'three'))).toBe(ENOENT);
    expect(await errnoOf(rig.mkdir(ROOT, 'three'))).toBe(30);
    expect(await errnoOf(rig.unlink(ROOT, 'one'))).toBe(30);
    expect(await errnoOf(rig.rename([two.node, 'file'], [ROOT, 'file']))).toBe(30);
    expect(await errnoOf(rig.setattr(ROOT, { mode: 0o777 }))).toBe(30);
    expect((await rig.getattr(ROOT)).mode).toBe(0o040555);
    expect(await rig.call(OP.STATFS, ROOT)).toHaveLength(80);
  });
});
