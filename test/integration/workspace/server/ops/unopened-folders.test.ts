/** Folders that the kernel reads without opening them. */
import { mkdirSync, mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HostWatches } from '../../../../../lib/workspace/watch/host-watches.ts';
import { errnoOf, Rig, type RigOptions, ROOT } from '../rig.ts';
import { name as nameBytes, OP } from '../wire.ts';

const [ENOMEM, ENOTDIR, ENOSYS, ESTALE] = [12, 20, 38, 116];
const INVAL_INODE = 2;
/** One entry and the dots */
const SMALL = 100;

/** Until a busy machine gets there */
const WAIT = { timeout: 10_000 };

let dir: string;
let watches: HostWatches;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-unopened-'));
  watches = new HostWatches();
});
afterEach(() => {
  watches[Symbol.dispose]();
  rmSync(dir, { recursive: true, force: true });
});

const mount = (options: RigOptions = {}) => Rig.mount(dir, { coherence: { watches }, ...options });

function fill(folder: string, count: number): string[] {
  mkdirSync(join(dir, folder), { recursive: true });
  const names = Array.from({ length: count }, (_, index) => `file-${String(index).padStart(4, '0')}`);
  for (const name of names) writeFileSync(join(dir, folder, name), '');
  return names;
}

const folderOf = async (rig: Rig, folder: string) => (await rig.lookup(ROOT, folder)).node;

/** Every name from an offset on, in reads of `size` bytes */
async function rest(rig: Rig, node: number, { offset = 0, size = SMALL } = {}): Promise<string[]> {
  const names: string[] = [];
  for (let from = offset; ; ) {
    const some = await rig.readdir(node, 0, { offset: from, size });
    if (some.length === 0) return names.filter((name) => name !== '.' && name !== '..').toSorted();
    names.push(...some.map(({ name }) => String(name)));
    from = some.at(-1)?.offset ?? 0;
  }
}

describe('a folder', () => {
  test('is read in parts', async () => {
    const names = fill('sub', 100);
    await using rig = await mount();
    const node = await folderOf(rig, 'sub');
    expect(await errnoOf(rig.call(OP.OPENDIR, node, Buffer.alloc(8)))).toBe(ENOSYS);
    expect(await rest(rig, node)).toEqual(names);
    expect((await rig.readdir(node, 0, { plus: true, size: 100_000 })).length).toBe(102);
  });

  test('is opened by a kernel that does not know better, and where nobody tells it of changes', async () => {
    fill('sub', 3);
    await using old = await mount({ opensFolders: true });
    await using blind = await Rig.mount(dir);
    for (const rig of [old, blind]) expect(await rig.opendir(await folderOf(rig, 'sub'))).toBeGreaterThan(0);
  });

  test('gives each reader what was there when it began', async () => {
    const names = fill('sub', 40);
    await using rig = await mount();
    const node = await folderOf(rig, 'sub');
    const begun = await rig.readdir(node, 0, { size: SMALL });
    for (const name of names.slice(0, 20)) unlinkSync(join(dir, 'sub', name));
    writeFileSync(join(dir, 'sub', 'new'), '');
    expect(await rest(rig, node)).toEqual([...names.slice(20), 'new']);
    const seen = begun.map(({ name }) => String(name)).filter((name) => !name.startsWith('.'));
    const others = await rest(rig, node, { offset: begun.at(-1)?.offset ?? 0 });
    expect([...seen, ...others].toSorted()).toEqual(names);
  });

  test('is read again from the same entry on after its listing was given up', async () => {
    const names = fill('sub', 40);
    fill('other', 40);
    await using rig = await mount();
    const [node, other] = [await folderOf(rig, 'sub'), await folderOf(rig, 'other')];
    const begun = await rig.readdir(node, 0, { size: SMALL });
    for (let count = 0; count < 100; count += 1) await rig.readdir(other, 0, { size: SMALL });
    const seen = begun.map(({ name }) => String(name)).filter((name) => !name.startsWith('.'));
    const others = await rest(rig, node, { offset: begun.at(-1)?.offset ?? 0 });
    expect([...seen, ...others].toSorted()).toEqual(names);
  });

  test('is read whole although others were left in the middle of more than the memory holds', async () => {
    const names = fill('sub', 200);
    await using rig = await mount({ limits: { listingBytes: 20_000 } });
    const node = await folderOf(rig, 'sub');
    for (let count = 0; count < 5; count += 1) await rig.readdir(node, 0, { size: SMALL });
    expect(await rest(rig, node)).toEqual(names);
    fill('large', 2_000);
    expect(await errnoOf(rest(rig, await folderOf(rig, 'large')))).toBe(ENOMEM);
  });

  test('never continues with the entries of another, whatever offset is asked for', async () => {
    fill('sub', 40);
    mkdirSync(join(dir, 'empty'));
    await using rig = await mount();
    const [node, empty] = [await folderOf(rig, 'sub'), await folderOf(rig, 'empty')];
    const [, , third] = await rig.readdir(node, 0, { size: 400 });
    const offset = third?.offset ?? 0;
    expect(offset).toBeGreaterThan(2 ** 24);
    for (const wild of [offset, 2 ** 24 - 1, 2 ** 40 + 5, Number.MAX_SAFE_INTEGER])
      expect(await rest(rig, empty, { offset: wild })).toEqual([]);
  });

  test('that is none, or is gone, says so', async () => {
    fill('sub', 1);
    await using rig = await mount();
    const [node, file] = [await folderOf(rig, 'sub'), (await rig.create(ROOT, 'file')).node];
    rmSync(join(dir, 'sub'), { recursive: true });
    expect(await errnoOf(rig.readdir(node, 0))).toBe(ESTALE);
    expect(await errnoOf(rig.readdir(file, 0))).toBe(ENOTDIR);
  });

  test('can be synchronised', async () => {
    fill('sub', 1);
    await using rig = await mount();
    const sync = rig.call(OP.FSYNCDIR, await folderOf(rig, 'sub'), Buffer.alloc(16));
    await expect(sync).resolves.toHaveLength(0);
  });
});

describe('the kernel', () => {
  const dropped = (rig: Rig, node: number) =>
    rig.notifications.filter(({ code, body }) => code === INVAL_INODE && Number(body.readBigUInt64LE(0)) === node)
      .length;

  test('keeps the entries of a folder that is watched until they change', async () => {
    fill('sub', 3);
    await using rig = await mount();
    const node = await folderOf(rig, 'sub');
    await rest(rig, node);
    await rig.lookup(ROOT, 'none').catch(() => {});
    expect(dropped(rig, node)).toBe(0);
    writeFileSync(join(dir, 'sub', 'new'), '');
    await expect.poll(() => dropped(rig, node), WAIT).toBeGreaterThan(0);
  });

  test('is told twice to drop those of a folder that cannot be watched', async () => {
    watches[Symbol.dispose]();
    watches = new HostWatches({ max: 0 });
    fill('sub', 3);
    await using rig = await mount();
    const node = await folderOf(rig, 'sub');
    await rig.readdir(node, 0);
    await expect.poll(() => dropped(rig, node), WAIT).toBe(2);
    expect((await rig.call(OP.LOOKUP, ROOT, nameBytes('sub'))).readBigUInt64LE(16)).toBe(0n);
  });
});
