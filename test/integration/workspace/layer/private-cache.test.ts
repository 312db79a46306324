/** What the guest's kernel may keep of the private layer, and what takes it back. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HostWatches } from '../../../../lib/workspace/watch/host-watches.ts';
import { CachingKernel } from '../server/coherence/caching-kernel.ts';
import { errnoOf, ROOT } from '../server/rig.ts';
import { name as nameBytes, OP } from '../server/wire.ts';
import { World, type WorldOptions } from './world.ts';

const MINUTE = 60;
const [INVAL_INODE, KEEP_CACHE, ESTALE] = [2, 2, 116];

const GIT = { '.git/HEAD': 'ref: x', '.git/config': '[core]', '.git/objects/': '', '.git/refs/': '' };

/** Until a busy machine gets there */
const WAIT = { timeout: 10_000 };

let watches: HostWatches;
beforeEach(() => {
  watches = new HostWatches();
});
afterEach(() => watches[Symbol.dispose]());

function make(files: Record<string, string>, options: WorldOptions = {}): Promise<World> {
  return World.make(files, Object.assign(options, { private: ['node_modules'], coherence: { watches } }));
}

async function withModules(options?: WorldOptions): Promise<World> {
  const world = await make({}, options);
  await world.mkdir('node_modules');
  await world.write('node_modules/a', 'one');
  return world;
}

/** How long the kernel may use an entry and its attributes, in seconds */
async function lifetimesOf({ rig }: World, parent: number, name: string) {
  const body = await rig.call(OP.LOOKUP, parent, nameBytes(name));
  return { entry: Number(body.readBigUInt64LE(16)), attributes: Number(body.readBigUInt64LE(24)) };
}

async function openFlags({ rig }: World, node: number): Promise<number> {
  const body = await rig.call(OP.OPEN, node, Buffer.alloc(8));
  await rig.call(OP.RELEASE, node, Buffer.concat([body.subarray(0, 8), Buffer.alloc(16)]));
  return body.readUInt32LE(8);
}

const inodes = ({ rig }: World) =>
  rig.notifications.filter(({ code }) => code === INVAL_INODE).map(({ body }) => Number(body.readBigUInt64LE(0)));

describe('the private layer', () => {
  test('is kept for a minute: names, also those that do not exist, attributes, and the data of a new file', async () => {
    await using world = await withModules();
    const folder = await world.node('node_modules');
    expect(await lifetimesOf(world, folder, 'a')).toEqual({ entry: MINUTE, attributes: MINUTE });
    expect(await lifetimesOf(world, folder, 'none')).toEqual({ entry: MINUTE, attributes: 0 });
    expect(await openFlags(world, await world.node('node_modules/a'))).toBe(KEEP_CACHE);
  });

  test('is asked for again where the data is from before it was private', async () => {
    await using world = await make(GIT);
    await world.read('.git/config');
    await world.write('.git/config', 'changed');
    const node = await world.node('.git/config');
    expect(await openFlags(world, node)).toBe(0);
    expect(await openFlags(world, node)).toBe(KEEP_CACHE);
  });

  test('is not kept by name, nor for the first open, after another server took over', async () => {
    await using world = await withModules();
    const before = await world.node('node_modules/a');
    await world.rig.create(await world.node('node_modules'), 'b');
    await world.restart();
    // The kernel looks a path up anew that ends in ESTALE.
    expect(await errnoOf(world.rig.open(before))).toBe(ESTALE);
    expect(await openFlags(world, await world.node('node_modules/a'))).toBe(0);
    expect(await world.names('node_modules')).toEqual(['a', 'b']);
  });
});

describe('other rules', () => {
  test('drop what they hide, and what they show again is found at once', async () => {
    const options: WorldOptions = {};
    await using world = await withModules(options);
    const kernel = new CachingKernel(world.rig);
    expect(await kernel.read('node_modules/a')).toBe('one');
    options.hide = ['node_modules/a'];
    // The kernel was told nothing yet: it has the name, which opens no more.
    await expect(kernel.read('node_modules/a')).rejects.toThrow('errno 2');
    world.rig.session.invalidateAll();
    await expect.poll(() => kernel.read('node_modules/a'), WAIT).toBeUndefined();
    options.hide = [];
    expect(await kernel.read('node_modules/a')).toBe('one');
  });

  test('drop the listing of each folder', async () => {
    await using world = await withModules();
    const folder = await world.node('node_modules');
    world.rig.session.invalidateAll();
    await expect.poll(() => inodes(world), WAIT).toContain(folder);
  });
});

describe('what takes the place of the private', () => {
  test('is read at once: a file that the user has taken over', async () => {
    await using world = await make({});
    await world.write('.envrc', 'inside');
    const [kernel, deaf] = [new CachingKernel(world.rig), new CachingKernel(world.rig, { isDeaf: true })];
    for (const one of [kernel, deaf]) expect(await one.read('.envrc')).toBe('inside');
    world.rig.session.takeOut(world.layer, { root: '', path: '.envrc' });
    world.put('.envrc', 'host');
    await expect.poll(() => kernel.read('.envrc'), WAIT).toBe('host');
    expect(inodes(world)).toContain(ROOT);
    expect(await deaf.read('.envrc').catch(() => 'stale')).not.toBe('host');
  });

  test('is seen at once: a folder that the host makes where the guest has one', async () => {
    await using world = await make(GIT);
    await world.mkdir('.git/hooks');
    await world.write('.git/hooks/pre-commit', 'inside');
    const old = [await world.node('.git/hooks'), await world.node('.git/hooks/pre-commit')];
    const [kernel, deaf] = [new CachingKernel(world.rig), new CachingKernel(world.rig, { isDeaf: true })];
    for (const one of [kernel, deaf]) expect(await one.read('.git/hooks/post-merge')).toBeUndefined();
    world.put('.git/hooks/post-merge', 'host');
    await expect.poll(() => kernel.read('.git/hooks/post-merge'), WAIT).toBe('host');
    expect(await kernel.read('.git/hooks/pre-commit')).toBe('inside');
    expect(await deaf.read('.git/hooks/post-merge')).toBeUndefined();
    expect(inodes(world)).toEqual(expect.arrayContaining(old));
  });
});
