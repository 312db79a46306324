/** What is answered from a moment ago must open no gap: not between two guests, and not while a file's names are looked for. */
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compileWorkspacePolicy } from '../../../../lib/workspace/policy/compile.ts';
import { foldOf } from '../../../../lib/workspace/policy/match/fold.ts';
import { projectPolicy } from '../../../../lib/workspace/server/project-policy.ts';
import { openVolume } from '../../../../lib/workspace/server/tables/volume.ts';
import { errnoOf, Rig, ROOT } from '../server/rig.ts';
import { Attacker, serveFolder } from './guest.ts';

const [ENOENT, EROFS] = [2, 30];
const HIDE = { hide: [{ text: '.env', source: 'default' as const }] };
let folder: string;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-moment-')));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('two guests do not complete a repository, each by what it knew a moment ago', async () => {
  mkdirSync(join(folder, 'build'));
  await using one = await serveFolder(folder);
  await using other = await serveFolder(folder);
  const { node } = await one.rig.lookup(ROOT, 'build');
  const same = (await other.rig.lookup(ROOT, 'build')).node;
  for (const { rig, at } of [
    { rig: one.rig, at: node },
    { rig: other.rig, at: same },
  ])
    for (const name of ['HEAD', 'objects', 'refs']) expect(await errnoOf(rig.lookup(at, name))).toBe(ENOENT);
  await one.rig.create(node, 'HEAD');
  await other.rig.mkdir(same, 'objects');
  expect(await errnoOf(one.rig.mkdir(node, 'refs'))).toBe(EROFS);
  expect(await errnoOf(other.rig.mkdir(same, 'refs'))).toBe(EROFS);
});

test('what the host hides is hidden soon, also when it was read a moment ago', async () => {
  writeFileSync(join(folder, 'notes'), 'secret');
  await using served = await serveFolder(folder, HIDE);
  const guest = new Attacker(served);
  expect(await guest.read('notes')).toBe('secret');
  renameSync(join(folder, 'notes'), join(folder, '.env'));
  linkSync(join(folder, '.env'), join(folder, 'notes'));
  await expect.poll(() => guest.read('notes')).toBeUndefined();
});

test('other rules are in force at once', async () => {
  writeFileSync(join(folder, 'notes'), 'secret');
  const compiled = (hide: string[]) =>
    compileWorkspacePolicy({
      hide: hide.map((text) => ({ text, source: 'default' as const })),
      ...{ readonly: [], private: [], unprotect: [], configFiles: [], fold: foldOf({}) },
    });
  let policy = compiled([]);
  using volume = openVolume([{ name: '', path: folder }]);
  await using rig = await Rig.mount(
    folder,
    projectPolicy(volume, () => ({ policy })),
  );
  await rig.lookup(ROOT, 'notes');
  policy = compiled(['notes']);
  expect(await errnoOf(rig.lookup(ROOT, 'notes'))).toBe(ENOENT);
});

function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}

describe('while a file waits for its names', () => {
  async function withPending(use: (served: Awaited<ReturnType<typeof serveFolder>>, node: number) => Promise<void>) {
    await using served = await serveFolder(folder, HIDE);
    mkdirSync(join(folder, 'deep'));
    writeFileSync(join(folder, 'deep/.env'), 'secret');
    linkSync(join(folder, 'deep/.env'), join(folder, 'copy'));
    const { node } = await served.rig.lookup(ROOT, 'copy');
    await use(served, node);
  }

  test('other requests are answered', async () => {
    writeFileSync(join(folder, 'plain'), '');
    await withPending(async ({ rig }, node) => {
      const order: string[] = [];
      const open = errnoOf(rig.open(node)).then((errno) => {
        order.push('open');
        return errno;
      });
      await rig.lookup(ROOT, 'plain').then(() => order.push('lookup'));
      expect(await open).toBe(ENOENT);
      expect(order).toEqual(['lookup', 'open']);
    });
  });

  test.each([
    ['its size', (rig: Rig, node: number) => rig.setattr(node, { size: 0 })],
    ['its mode', (rig: Rig, node: number) => rig.setattr(node, { mode: 0o600 })],
    ['an attribute', (rig: Rig, node: number) => rig.setxattr(node, 'user.x', Buffer.from('x'))],
    ['what is read of it', (rig: Rig, node: number) => rig.getxattr(node, 'user.x')],
  ])('%s is not reached', async (_, reach) => {
    await withPending(async ({ rig }, node) => expect(await errnoOf(reach(rig, node))).toBe(ENOENT));
  });

  test('without the wait it is read', async () => {
    await withPending(async ({ policy, facts }) => {
      using volume = openVolume([{ name: '', path: folder }]);
      const { names, ...hooks } = projectPolicy(volume, () => ({ policy, facts }));
      await using rig = await Rig.mount(folder, hooks);
      const { node } = await rig.lookup(ROOT, 'copy');
      expect((await rig.read(node, await rig.open(node))).toString()).toBe('secret');
      expect(names).toBeDefined();
    });
  });

  test('nothing is opened for a guest that is gone', async () => {
    await withPending(async (served, node) => {
      void served.rig.open(node).catch(() => {});
      await sleep(1);
      served.rig.session[Symbol.dispose]();
      await served.rig.session.closed;
      await served.facts.pending({ identity: 'x', nlink: 2, ctime: { seconds: Date.now() / 1000, nanoseconds: 0 } });
      expect(served.rig.errors).toEqual([]);
      expect(openFiles().filter((file) => file.startsWith(`${folder}/`))).toEqual([]);
    });
  });
});
