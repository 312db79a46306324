import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SavedSession } from '../../../../lib/workspace/server/saved.ts';
import { errnoOf, Rig, ROOT } from './rig.ts';

const [EIO, EBADF, ESTALE] = [5, 9, 116];

let folder: string;
const at = (path: string) => join(folder, path);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sbx-saved-'));
  mkdirSync(at('d'));
  writeFileSync(at('d/f'), 'content');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Through JSON, as a file on disk keeps it */
const saved = (rig: Rig) => JSON.parse(JSON.stringify(rig.session.save())) as SavedSession;

describe('a saved session', () => {
  it('continues with its nodes, open files, offsets and owners, without INIT', async () => {
    const odd = Buffer.from([0xe9, 0xff]);
    const before = await Rig.mount(folder);
    const { node } = await before.walk('d/f');
    const handle = await before.open(node, 0o2002);
    const named = await before.create(ROOT, odd);
    await before.setattr(node, { uid: 7, mode: 0o4755 });
    const listing = await before.opendir(ROOT);
    const first = await before.readdir(ROOT, listing, { size: 60 });
    const state = saved(before);
    await before[Symbol.asyncDispose]();

    await using after = await Rig.mount(folder, { saved: state });
    expect((await after.read(node, handle)).toString()).toBe('content');
    await after.write(node, handle, '!', { offset: 0 });
    expect(readFileSync(at('d/f'), 'utf8')).toBe('content!');
    expect(await after.getattr(node)).toMatchObject({ uid: 7, mode: 0o100755 });
    await after.write(named.node, named.handle, 'odd');
    expect((await after.lookup(ROOT, odd)).node).toBe(named.node);
    const rest = await after.readdir(ROOT, listing, { offset: first.at(-1)?.offset ?? 0 });
    expect(first.length + rest.length).toBe(4);
    expect((await after.mkdir(ROOT, 'new')).node).toBeGreaterThan(named.node);
    expect(await after.open(node)).toBeGreaterThan(listing);
  });

  it('answers EIO once for an open file that is gone, and ESTALE for its node', async () => {
    const before = await Rig.mount(folder);
    const { node } = await before.walk('d/f');
    const handle = await before.open(node);
    const state = saved(before);
    await before[Symbol.asyncDispose]();
    unlinkSync(at('d/f'));
    await using after = await Rig.mount(folder, { saved: state });
    expect(await errnoOf(after.read(node, handle))).toBe(EIO);
    expect(await errnoOf(after.getattr(node))).toBe(ESTALE);
    await after.release(node, handle);
    expect(await errnoOf(after.release(node, handle))).toBe(EBADF);
  });

  it('does not take another file for an old one', async () => {
    const before = await Rig.mount(folder);
    const { node } = await before.walk('d/f');
    const handle = await before.open(node);
    const state = saved(before);
    await before[Symbol.asyncDispose]();
    writeFileSync(at('other'), 'other');
    renameSync(at('other'), at('d/f'));
    await using after = await Rig.mount(folder, { saved: state });
    expect(await errnoOf(after.read(node, handle))).toBe(EIO);
    expect(await errnoOf(after.open(node))).toBe(ESTALE);
  });

  it('finds its files again when the host numbers its devices otherwise', async () => {
    const before = await Rig.mount(folder);
    const { node } = await before.walk('d/f');
    await before.setattr(node, { uid: 7 });
    const state = JSON.parse(
      JSON.stringify(before.session.save()).replaceAll(/"\d+:\d+\//g, '"99:99/'),
    ) as SavedSession;
    await before[Symbol.asyncDispose]();
    await using after = await Rig.mount(folder, { saved: state });
    expect((await after.getattr(node)).uid).toBe(7);
  });

  it('serves two guests from one volume', async () => {
    const before = await Rig.mount(folder);
    const { node } = await before.walk('d/f');
    await using fork = await Rig.mount(folder, { saved: saved(before) });
    expect((await fork.getattr(node)).size).toBe((await before.getattr(node)).size);
    before.forget(node, 99);
    expect(await errnoOf(before.getattr(node))).toBe(ESTALE);
    expect((await fork.getattr(node)).size).toBe(7);
    await before[Symbol.asyncDispose]();
  });

  it('gives a second guest its own open files: neither one closes those of the other', async () => {
    await using before = await Rig.mount(folder);
    const { node } = await before.walk('d/f');
    const handle = await before.open(node, 0o2);
    const listing = await before.opendir(ROOT);
    await using fork = await Rig.mount(folder, { saved: saved(before) });
    await fork.write(node, handle, 'from the fork', { offset: 0 });
    expect((await before.read(node, handle)).toString()).toBe('from the fork');
    await before.release(node, handle);
    expect(await errnoOf(before.read(node, handle))).toBe(EBADF);
    expect((await fork.read(node, handle)).toString()).toBe('from the fork');
    expect((await fork.readdir(ROOT, listing)).length).toBe((await before.readdir(ROOT, listing)).length);
    const [first, second] = [await before.mkdir(ROOT, 'by the first'), await fork.mkdir(ROOT, 'by the fork')];
    // The ids of a guest are its own: the same number is another folder for each.
    expect(first.node).toBe(second.node);
    expect((await before.lookup(ROOT, 'by the fork')).node).not.toBe(first.node);
  });

  it('leaves a file that was unlinked while open to the first guest: for the second one it answers EIO', async () => {
    await using before = await Rig.mount(folder);
    const { node } = await before.walk('d/f');
    const handle = await before.open(node, 0o2);
    const d = await before.lookup(ROOT, 'd');
    await before.unlink(d.node, 'f');
    await using fork = await Rig.mount(folder, { saved: saved(before) });
    expect((await before.read(node, handle)).toString()).toBe('content');
    expect(await errnoOf(fork.read(node, handle))).toBe(EIO);
    expect(await errnoOf(fork.getattr(node))).toBe(ESTALE);
    await fork.release(node, handle);
    expect((await before.read(node, handle)).toString()).toBe('content');
  });

  it('keeps the node ids of its roots', async () => {
    const roots = [
      { name: 'one', path: folder },
      { name: 'two', path: at('d') },
    ];
    const before = await Rig.mount(folder, { roots });
    const two = await before.lookup(ROOT, 'two');
    const { node } = await before.lookup(two.node, 'f');
    const state = saved(before);
    await before[Symbol.asyncDispose]();
    await using after = await Rig.mount(folder, { saved: state, roots: [...roots].reverse() });
    expect((await after.getattr(node)).size).toBe(7);
    expect((await after.lookup(ROOT, 'two')).node).toBe(two.node);
  });
});

describe('invalidation', () => {
  it('names what the host changed by its path', async () => {
    await using rig = await Rig.mount(folder);
    const d = await rig.lookup(ROOT, 'd');
    const f = await rig.lookup(d.node, 'f');
    rig.session.invalidatePath('', ['d', 'f']);
    rig.session.invalidatePath('', ['d', 'unseen']);
    rig.session.invalidatePath('', ['unknown', 'x']);
    rig.session.invalidate({ type: 'delete', parent: d.node, child: f.node, name: 'f' });
    await rig.getattr(ROOT);
    const [entry, listing, inode, unseen, , deleted, ...rest] = rig.notifications;
    expect([entry?.code, entry?.body.readBigUInt64LE(0), entry?.body.toString('latin1', 16)]).toEqual([
      3,
      BigInt(d.node),
      'f\0',
    ]);
    expect([listing?.code, listing?.body.readBigUInt64LE(0)]).toEqual([2, BigInt(d.node)]);
    expect([inode?.code, inode?.body.readBigUInt64LE(0)]).toEqual([2, BigInt(f.node)]);
    expect(unseen?.body.toString('latin1', 16)).toBe('unseen\0');
    expect([deleted?.code, deleted?.body.readBigUInt64LE(8), deleted?.body.length]).toEqual([6, BigInt(f.node), 26]);
    expect(rest).toEqual([]);
  });

  it('finds a path below one of several roots', async () => {
    const roots = [
      { name: 'one', path: folder },
      { name: 'two', path: at('d') },
    ];
    await using rig = await Rig.mount(folder, { roots });
    const two = await rig.lookup(ROOT, 'two');
    rig.session.invalidatePath('two', ['f']);
    rig.session.invalidatePath('three', ['f']);
    await rig.getattr(ROOT);
    expect(rig.notifications.map(({ code, body }) => [code, body.readBigUInt64LE(0)])).toEqual([
      [3, BigInt(two.node)],
      [2, BigInt(two.node)],
    ]);
  });
});
