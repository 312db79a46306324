/** What the guest's kernel may cache, and how it learns of the host's changes. */
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { WatchedPart } from '../../../../../lib/workspace/server/coherence/cached-folders.ts';
import { HostWatches } from '../../../../../lib/workspace/watch/host-watches.ts';
import { isShared } from '../../../../../lib/workspace/watch/shared-file-systems.ts';
import { Rig, type RigOptions, ROOT } from '../rig.ts';
import { name as nameBytes, OP } from '../wire.ts';
import { CachingKernel } from './caching-kernel.ts';

const [INVAL_INODE, INVAL_ENTRY] = [2, 3];
const FOPEN_KEEP_CACHE = 2;
const FOPEN_CACHE_DIR = 8;

/** In seconds */
const HOUR = 3600;

/** Until a busy machine gets there */
const WAIT = { timeout: 10_000 };

let dir: string;
let watches: HostWatches;
let states: WatchedPart[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-coherence-'));
  watches = new HostWatches();
  states = [];
});
afterEach(() => {
  watches[Symbol.dispose]();
  rmSync(dir, { recursive: true, force: true });
});

function mount(options: RigOptions = {}): Promise<Rig> {
  return Rig.mount(dir, { coherence: { watches, onWatched: (state) => states.push(state) }, ...options });
}

/** How long the kernel may use an entry and its attributes, in seconds */
async function lifetimesOf(rig: Rig, parent: number, name: string) {
  const body = await rig.call(OP.LOOKUP, parent, nameBytes(name));
  return { entry: Number(body.readBigUInt64LE(16)), attributes: Number(body.readBigUInt64LE(24)) };
}

async function openFlags(rig: Rig, node: number): Promise<number> {
  const body = await rig.call(OP.OPEN, node, Buffer.alloc(8));
  await rig.release(node, Number(body.readBigUInt64LE(0)));
  return body.readUInt32LE(8);
}

const entryNames = (rig: Rig) =>
  rig.notifications
    .filter(({ code }) => code === INVAL_ENTRY)
    .map(({ body }) => body.toString('latin1', 16, body.length - 1));
const inodes = (rig: Rig) =>
  rig.notifications.filter(({ code }) => code === INVAL_INODE).map(({ body }) => Number(body.readBigUInt64LE(0)));

/** What the kernel may do with the entries of a folder, by the flags that its open returns */
async function listingFlags(rig: Rig, node: number): Promise<number> {
  return (await rig.call(OP.OPENDIR, node, Buffer.alloc(8))).readUInt32LE(8);
}

/** Everything that happened before this call has been delivered when the marker file's name arrives. */
async function settled(rig: Rig): Promise<void> {
  const marker = `marker-${Math.random()}`;
  await rig.lookup(ROOT, marker).catch(() => {});
  writeFileSync(join(dir, marker), '');
  await expect.poll(() => entryNames(rig), WAIT).toContain(marker);
  unlinkSync(join(dir, marker));
}

describe('what is watched', () => {
  test('is cached, with names that do not exist and data', async () => {
    writeFileSync(join(dir, 'file'), 'one');
    await using rig = await mount();
    expect(await lifetimesOf(rig, ROOT, 'file')).toEqual({ entry: HOUR, attributes: HOUR });
    expect(await lifetimesOf(rig, ROOT, 'none')).toEqual({ entry: 10, attributes: 0 });
    const { node } = await rig.lookup(ROOT, 'file');
    // The kernel may hold data of before the watch: the first open drops it.
    expect(await openFlags(rig, node)).toBe(0);
    expect(await openFlags(rig, node)).toBe(FOPEN_KEEP_CACHE);
    expect(states).toEqual(['all']);
  });

  test('is not a folder that only its parent lists, nor a file with another name elsewhere', async () => {
    mkdirSync(join(dir, 'sub'));
    writeFileSync(join(dir, 'file'), 'one');
    linkSync(join(dir, 'file'), join(dir, 'sub', 'other'));
    await using rig = await mount();
    expect(await lifetimesOf(rig, ROOT, 'sub')).toEqual({ entry: HOUR, attributes: 0 });
    expect(await lifetimesOf(rig, ROOT, 'file')).toEqual({ entry: HOUR, attributes: 0 });
    const { node } = await rig.lookup(ROOT, 'file');
    await openFlags(rig, node);
    expect(await openFlags(rig, node)).toBe(0);
    const sub = await rig.lookup(ROOT, 'sub');
    await rig.getattr(sub.node);
    expect(await lifetimesOf(rig, ROOT, 'sub')).toEqual({ entry: HOUR, attributes: HOUR });
  });

  test('is nothing without watches left, and it is said', async () => {
    watches[Symbol.dispose]();
    watches = new HostWatches({ max: 0 });
    writeFileSync(join(dir, 'file'), 'one');
    await using rig = await mount();
    expect(await lifetimesOf(rig, ROOT, 'file')).toEqual({ entry: 0, attributes: 0 });
    const { node } = await rig.lookup(ROOT, 'file');
    await openFlags(rig, node);
    expect(await openFlags(rig, node)).toBe(0);
    await expect(lifetimesOf(rig, ROOT, 'none')).rejects.toThrow('errno 2');
    expect(states).toEqual(['none']);
  });

  test('is the most recently used part when there are more folders than watches', async () => {
    watches[Symbol.dispose]();
    let now = 0;
    watches = new HostWatches({ max: 2, maxEach: 2, now: () => now });
    for (const name of ['a', 'b']) mkdirSync(join(dir, name));
    for (const name of ['a', 'b']) writeFileSync(join(dir, name, 'file'), '');
    await using rig = await mount();
    const a = await rig.lookup(ROOT, 'a');
    expect((await lifetimesOf(rig, a.node, 'file')).entry).toBe(HOUR);
    const b = await rig.lookup(ROOT, 'b');
    expect((await lifetimesOf(rig, b.node, 'file')).entry).toBe(0);
    expect(states).toEqual(['all', 'some']);
    now = 60_000;
    watches.touch(1); // the root's
    await new Promise((resolve) => setTimeout(resolve, 1100));
    expect((await lifetimesOf(rig, b.node, 'file')).entry).toBe(HOUR);
    // What the kernel cached of the other one is taken back.
    expect(entryNames(rig)).toContain('file');
    expect((await lifetimesOf(rig, a.node, 'file')).entry).toBe(0);
  });
});

describe('a file system that others change without an event', () => {
  const NFS = 0x6969;

  test('is not cached, and it is said; what lies elsewhere is', async () => {
    const types = { now: 0 };
    watches[Symbol.dispose]();
    watches = new HostWatches({ typeOf: () => types.now });
    for (const folder of ['local', 'remote']) mkdirSync(join(dir, folder));
    for (const folder of ['local', 'remote']) writeFileSync(join(dir, folder, 'file'), '');
    await using rig = await mount();
    const [local, remote] = [await rig.lookup(ROOT, 'local'), await rig.lookup(ROOT, 'remote')];
    expect(await lifetimesOf(rig, local.node, 'file')).toEqual({ entry: HOUR, attributes: HOUR });
    expect(states).toEqual(['all']);
    types.now = NFS;
    expect(await lifetimesOf(rig, remote.node, 'file')).toEqual({ entry: 0, attributes: 0 });
    expect(await lifetimesOf(rig, local.node, 'file')).toEqual({ entry: HOUR, attributes: HOUR });
    expect(states).toEqual(['all', 'some']);
  });

  test('without any other, nothing is cached', async () => {
    watches[Symbol.dispose]();
    watches = new HostWatches({ typeOf: () => NFS });
    writeFileSync(join(dir, 'file'), '');
    await using rig = await mount();
    expect(await lifetimesOf(rig, ROOT, 'file')).toEqual({ entry: 0, attributes: 0 });
    expect(states).toEqual(['none']);
  });

  test('is told by the type that statfs gives', () => {
    expect([NFS, 0xfe534d42, 0x65735546].map(isShared)).toEqual([true, true, true]);
    // ext4, Btrfs, tmpfs, overlay
    expect([0xef53, 0x9123683e, 0x01021994, 0x794c7630].map(isShared)).toEqual([false, false, false, false]);
  });
});

describe('the entries of a folder that the kernel opens', () => {
  test('are kept from the second open on, and dropped by a change of the host', async () => {
    mkdirSync(join(dir, 'listed'));
    await using rig = await mount({ opensFolders: true });
    const { node } = await rig.lookup(ROOT, 'listed');
    expect(await listingFlags(rig, node)).toBe(FOPEN_CACHE_DIR);
    expect(await listingFlags(rig, node)).toBe(FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE);
    writeFileSync(join(dir, 'listed', 'new'), '');
    await expect.poll(() => inodes(rig).filter((id) => id === node).length, WAIT).toBeGreaterThan(1);
    expect(await listingFlags(rig, node)).toBe(FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE);
  });

  test('are not kept where no watch is left', async () => {
    watches[Symbol.dispose]();
    watches = new HostWatches({ max: 0 });
    await using rig = await mount({ opensFolders: true });
    for (let count = 0; count < 2; count += 1) expect(await listingFlags(rig, ROOT)).toBe(0);
  });

  test('are read again after changes were lost', async () => {
    await using rig = await mount({ opensFolders: true });
    for (const flags of [FOPEN_CACHE_DIR, FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE])
      expect(await listingFlags(rig, ROOT)).toBe(flags);
    rig.session.invalidateAll();
    expect(await listingFlags(rig, ROOT)).toBe(FOPEN_CACHE_DIR);
  });
});

test('a guest that watches without end leaves watches for another one', async () => {
  watches[Symbol.dispose]();
  watches = new HostWatches({ max: 8 });
  for (let count = 0; count < 20; count += 1) mkdirSync(join(dir, `folder-${count}`));
  await using greedy = await mount();
  for (let count = 0; count < 20; count += 1) {
    const { node } = await greedy.lookup(ROOT, `folder-${count}`);
    await greedy.getattr(node);
  }
  expect(watches.size).toBe(4);
  expect(states).toEqual(['all', 'some']);
  states = [];
  const other = mkdtempSync(join(tmpdir(), 'sbx-other-'));
  await using modest = await Rig.mount(other, { coherence: { watches, onWatched: (state) => states.push(state) } });
  expect((await lifetimesOf(modest, ROOT, 'none')).entry).toBe(10);
  expect(states).toEqual(['all']);
  rmSync(other, { recursive: true });
});

test('other rules drop all that is cached, with the names that do not exist', async () => {
  let hidden = 'b';
  const decide = ({ path }: { path: Buffer }) => (path.toString() === hidden ? 'hidden' : 'pass') as 'hidden' | 'pass';
  for (const name of ['a', 'b']) writeFileSync(join(dir, name), name);
  await using rig = await mount({ decide });
  const kernel = new CachingKernel(rig);
  for (let count = 0; count < 2; count += 1) {
    expect(await kernel.read('a')).toBe('a');
    expect(await kernel.read('b')).toBeUndefined();
  }
  hidden = 'a';
  expect(await kernel.read('b')).toBeUndefined();
  rig.session.invalidateAll();
  await expect.poll(() => entryNames(rig), WAIT).toEqual(expect.arrayContaining(['a', 'b']));
  expect(await kernel.read('a')).toBeUndefined();
  expect(await kernel.read('b')).toBe('b');
});

describe('a change of the host', () => {
  test('drops content, attributes and names of what the kernel knows', async () => {
    for (const name of ['content', 'mode', 'gone', 'replaced']) writeFileSync(join(dir, name), 'one');
    await using rig = await mount();
    const nodes = new Map<string, number>();
    for (const name of ['content', 'mode', 'gone', 'replaced']) nodes.set(name, (await rig.lookup(ROOT, name)).node);
    await rig.lookup(ROOT, 'new');
    writeFileSync(join(dir, 'content'), 'two');
    chmodSync(join(dir, 'mode'), 0o600);
    unlinkSync(join(dir, 'gone'));
    writeFileSync(join(dir, 'temporary'), 'two');
    renameSync(join(dir, 'temporary'), join(dir, 'replaced'));
    writeFileSync(join(dir, 'new'), '');
    await settled(rig);
    expect(entryNames(rig)).toEqual(expect.arrayContaining(['gone', 'replaced', 'new']));
    for (const node of nodes.values()) expect(inodes(rig)).toContain(node);
    // Names that the kernel never asked for are not sent.
    expect(entryNames(rig)).not.toContain('temporary');
    expect(entryNames(rig)).not.toContain('content');
  });

  test("keeps the page cache where the guest's own request changed the file", async () => {
    writeFileSync(join(dir, 'file'), 'one');
    await using rig = await mount();
    const { node } = await rig.lookup(ROOT, 'file');
    const handle = await rig.open(node, 2);
    await rig.write(node, handle, 'two');
    await rig.setattr(node, { mode: 0o600 });
    await rig.setattr(node, { size: 2, handle });
    await rig.release(node, handle);
    const made = await rig.create(ROOT, 'made');
    await rig.write(made.node, made.handle, 'x');
    await rig.release(made.node, made.handle);
    await rig.rename([ROOT, 'made'], [ROOT, 'moved']);
    await rig.mkdir(ROOT, 'folder');
    await rig.rmdir(ROOT, 'folder');
    await rig.unlink(ROOT, 'moved');
    await rig.lookup(ROOT, 'host');
    writeFileSync(join(dir, 'host'), '');
    await expect.poll(() => entryNames(rig), WAIT).toEqual(['host']);
    expect(inodes(rig)).not.toContain(node);
    expect(inodes(rig)).not.toContain(made.node);
  });

  test('reaches a guest when another guest of the same server made it', async () => {
    writeFileSync(join(dir, 'file'), 'one');
    await using one = await mount();
    await using other = await mount();
    const mine = await one.lookup(ROOT, 'file');
    const theirs = await other.lookup(ROOT, 'file');
    const handle = await one.open(mine.node, 2);
    await one.write(mine.node, handle, 'two');
    await expect.poll(() => inodes(other), WAIT).toContain(theirs.node);
    expect(inodes(one)).not.toContain(mine.node);
  });

  test('names nothing that is hidden', async () => {
    const decide = ({ path }: { path: Buffer }) =>
      (path.toString() === '.env' ? 'hidden' : 'pass') as 'hidden' | 'pass';
    await using rig = await mount({ decide });
    await rig.lookup(ROOT, '.env').catch(() => {});
    writeFileSync(join(dir, '.env'), 'SECRET=1');
    unlinkSync(join(dir, '.env'));
    writeFileSync(join(dir, '.env'), 'SECRET=2');
    await settled(rig);
    expect(entryNames(rig)).not.toContain('.env');
  });

  test('of a folder that left the project is not sent, and ends its watch', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'sbx-outside-'));
    mkdirSync(join(dir, 'sub'));
    await using rig = await mount();
    const sub = await rig.lookup(ROOT, 'sub');
    await rig.lookup(sub.node, 'later');
    const before = watches.size;
    renameSync(join(dir, 'sub'), join(outside, 'sub'));
    writeFileSync(join(outside, 'sub', 'later'), '');
    writeFileSync(join(outside, 'sub', 'secret'), '');
    await expect.poll(() => watches.size, WAIT).toBeLessThan(before);
    expect(entryNames(rig)).not.toContain('secret');
    rmSync(outside, { recursive: true });
  });

  test('that was lost in an overflow drops everything', async () => {
    writeFileSync(join(dir, 'file'), 'one');
    await using rig = await mount();
    const { node } = await rig.lookup(ROOT, 'file');
    await rig.lookup(ROOT, 'none');
    const limit = Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8'));
    // Two files in turn: equal events in a row count once.
    for (const name of ['a', 'b']) writeFileSync(join(dir, name), '');
    for (let count = 0; count <= limit / 2 + 2; count += 1)
      for (const name of ['a', 'b']) truncateSync(join(dir, name), count % 2);
    await expect.poll(() => entryNames(rig), WAIT).toContain('none');
    expect(inodes(rig)).toContain(node);
    expect(entryNames(rig)).toContain('file');
  });
});

test('after any edits of the host, what a caching kernel reads is what the host has', async () => {
  const NAMES = ['a', 'b', 'd'];
  const edit = fc.record({
    kind: fc.constantFrom(
      'write',
      'append',
      'remove',
      'rename',
      'replace',
      'mkdir',
      'guest-write',
      'guest-remove',
      'read',
    ),
    name: fc.constantFrom(...NAMES),
    other: fc.constantFrom(...NAMES),
    below: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { maxLength: 25 }), async (edits) => {
      const root = mkdtempSync(join(dir, 'run-'));
      mkdirSync(join(root, 'sub'));
      await using rig = await Rig.mount(root, { coherence: { watches } });
      const kernel = new CachingKernel(rig);
      for (const [index, step] of edits.entries()) {
        const path = (name: string) => (step.below ? `sub/${name}` : name);
        await kernel.apply(root, {
          ...step,
          path: path(step.name),
          other: path(step.other),
          text: `${index}`.repeat(3),
        });
      }
      for (const name of NAMES.flatMap((one) => [one, `sub/${one}`])) {
        const real = statSync(join(root, name), { throwIfNoEntry: false });
        const expected =
          real === undefined ? undefined : real.isDirectory() ? 'folder' : readFileSync(join(root, name), 'utf8');
        await expect.poll(() => kernel.read(name), { timeout: 5_000, message: name }).toBe(expected);
      }
    }),
    { numRuns: 60 },
  );
}, 60_000);

test('and without the invalidations it is not', async () => {
  writeFileSync(join(dir, 'file'), 'one');
  await using rig = await mount();
  const kernel = new CachingKernel(rig, { isDeaf: true });
  for (let count = 0; count < 2; count += 1) expect(await kernel.read('file')).toBe('one');
  writeFileSync(join(dir, 'file'), 'two');
  await settled(rig);
  expect(await kernel.read('file')).toBe('one');
  expect(await new CachingKernel(rig).read('file')).toBe('two');
});
