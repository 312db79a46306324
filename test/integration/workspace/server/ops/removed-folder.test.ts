/** A folder that was removed stays what it is for the process that has it as its current folder. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { World } from '../../layer/world.ts';
import { errnoOf, Rig, ROOT } from '../rig.ts';

const [ENOENT, ESTALE] = [2, 116];
const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;

let folder: string;
let rig: Rig;
const at = (path: string) => join(folder, path);
const openFds = () => readdirSync('/proc/self/fd').length;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sbx-removed-'));
  rig = await Rig.mount(folder);
});

afterEach(async () => {
  await rig[Symbol.asyncDispose]();
  expect(rig.errors).toEqual([]);
  rmSync(folder, { recursive: true, force: true });
});

/** As the guest's kernel asks after `cd d; rmdir ../d` */
async function expectGone(used: Rig, node: number): Promise<void> {
  const attr = await used.getattr(node);
  expect([attr.mode & S_IFMT, attr.nlink]).toEqual([S_IFDIR, 0]);
  const handle = await used.opendir(node);
  expect(await errnoOf(used.readdir(node, handle))).toBe(ENOENT);
  await used.releasedir(node, handle);
  expect((await used.setattr(node, { mode: 0o700 })).mode & 0o777).toBe(0o700);
  expect(await errnoOf(used.lookup(node, 'f'))).toBe(ENOENT);
}

/** A hostile kernel asks all the same. */
async function expectNothingCanBeMade(used: Rig, node: number): Promise<void> {
  expect(await errnoOf(used.create(node, 'f'))).toBe(ENOENT);
  expect(await errnoOf(used.mkdir(node, 'd'))).toBe(ENOENT);
  expect(await errnoOf(used.symlink(node, 'l', 'x'))).toBe(ENOENT);
}

describe('a folder that the guest removed', () => {
  it('has attributes and an empty list, until the kernel forgets it', async () => {
    const { node } = await rig.mkdir(ROOT, 'd');
    const before = openFds();
    await rig.rmdir(ROOT, 'd');
    await expectGone(rig, node);
    await expectNothingCanBeMade(rig, node);
    rig.forget(node, 1);
    expect(await errnoOf(rig.getattr(node))).toBe(ESTALE);
    expect(openFds()).toBeLessThanOrEqual(before);
  });

  it('is the same when another folder was renamed over it', async () => {
    const old = await rig.mkdir(ROOT, 'd');
    const fresh = await rig.mkdir(ROOT, 'e');
    await rig.rename([ROOT, 'e'], [ROOT, 'd']);
    await expectGone(rig, old.node);
    expect((await rig.getattr(fresh.node)).nlink).toBeGreaterThan(0);
    await rig.create(fresh.node, 'f');
    expect(existsSync(at('d/f'))).toBe(true);
  });

  it('is not one that the host has moved away: its descriptor goes with the name', async () => {
    await using other = await Rig.mount(folder, { folderMaxAgeMs: 60_000 });
    const moved = `${folder}-moved`;
    mkdirSync(at('d'));
    const { node } = await other.lookup(ROOT, 'd');
    await other.create(node, 'f');
    await other.unlink(node, 'f');
    renameSync(at('d'), moved);
    mkdirSync(at('d'));
    await other.rmdir(ROOT, 'd');
    expect(await errnoOf(other.getattr(node))).toBe(ESTALE);
    expect(await errnoOf(other.create(node, 'g'))).toBe(ESTALE);
    expect(await errnoOf(other.opendir(node))).toBe(ESTALE);
    expect(readdirSync(moved)).toEqual([]);
    rmSync(moved, { recursive: true });
  });

  it('reaches no folder that still lies on the disk', async () => {
    await using other = await Rig.mount(folder, { folderMaxAgeMs: 60_000 });
    mkdirSync(at('d'));
    const { node } = await other.lookup(ROOT, 'd');
    await other.create(node, 'f');
    await other.unlink(node, 'f');
    renameSync(at('d'), `${folder}-moved`);
    expect(await errnoOf(other.lookup(ROOT, 'd'))).toBe(ENOENT);
    expect(await errnoOf(other.getattr(node))).toBe(ESTALE);
    expect(await errnoOf(other.create(node, 'g'))).toBe(ESTALE);
    expect(readdirSync(`${folder}-moved`)).toEqual([]);
    rmSync(`${folder}-moved`, { recursive: true });
  });

  it('takes a bounded number of descriptors, whatever the kernel does not forget', async () => {
    const before = openFds();
    const made: number[] = [];
    for (let index = 0; index < 300; index++) {
      made.push((await rig.mkdir(ROOT, `d${index}`)).node);
      await rig.rmdir(ROOT, `d${index}`);
    }
    expect(openFds() - before).toBeLessThanOrEqual(130);
    expect((await rig.getattr(made.at(-1) ?? 0)).nlink).toBe(0);
    expect(await errnoOf(rig.getattr(made[0] ?? 0))).toBe(ESTALE);
    for (const node of made) rig.forget(node, 1);
    await rig.lookup(ROOT, '.x').catch(() => {});
    expect(openFds()).toBeLessThanOrEqual(before);
  });
});

it('a folder of the private layer that was removed does the same', async () => {
  await using world = await World.make({}, { private: ['/own/'] });
  const own = await world.rig.mkdir(ROOT, 'own');
  const { node } = await world.rig.mkdir(own.node, 'd');
  expect(existsSync(join(world.project, 'own'))).toBe(false);
  await world.rig.rmdir(own.node, 'd');
  await expectGone(world.rig, node);
  world.rig.forget(node, 1);
  expect(await errnoOf(world.rig.getattr(node))).toBe(ESTALE);
});
