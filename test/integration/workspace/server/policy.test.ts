import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { WorkspaceVerdict } from '../../../../lib/workspace/policy/types.ts';
import type { PolicyRequest } from '../../../../lib/workspace/server/tables/policy.ts';
import { errnoOf, Rig, ROOT } from './rig.ts';

const [ENOENT, EACCES, EROFS] = [2, 13, 30];

let folder: string;
const at = (path: string) => join(folder, path);

/** Names and what is below them, to a verdict */
let rules: Record<string, WorkspaceVerdict>;

function decide({ path }: PolicyRequest): WorkspaceVerdict {
  const names = path.toString().split('/');
  return names.map((name) => rules[name]).find((verdict) => verdict !== undefined) ?? 'pass';
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sbx-policy-'));
  rules = { '.env': 'hidden', '.git': 'private', locked: 'read-only' };
  mkdirSync(at('.git'));
  mkdirSync(at('locked'));
  mkdirSync(at('sub'));
  for (const path of ['.env', '.git/config', 'locked/file', 'sub/.env', 'plain']) writeFileSync(at(path), path);
});

afterEach(() => {
  for (const path of ['.env', '.git/config', 'locked/file', 'sub/.env'])
    expect(readFileSync(at(path), 'utf8')).toBe(path);
  rmSync(folder, { recursive: true, force: true });
});

const names = async (rig: Rig, node: number, plus = false) =>
  (await rig.list(node, { plus }))
    .map((entry) => entry.name.toString())
    .filter((name) => !name.startsWith('..'))
    .sort();

describe('a hidden file', () => {
  it('does not exist for the guest, at any depth, and cannot be made', async () => {
    await using rig = await Rig.mount(folder, { decide });
    const { node: sub } = await rig.lookup(ROOT, 'sub');
    for (const parent of [ROOT, sub]) {
      expect(await errnoOf(rig.lookup(parent, '.env'))).toBe(ENOENT);
      for (const plus of [false, true]) expect(await names(rig, parent, plus)).not.toContain('.env');
      expect(await errnoOf(rig.create(parent, '.env'))).toBe(EACCES);
      expect(await errnoOf(rig.mkdir(parent, '.env'))).toBe(EACCES);
      expect(await errnoOf(rig.symlink(parent, '.env', 'x'))).toBe(EACCES);
      expect(await errnoOf(rig.mknod(parent, '.env', 0o100644))).toBe(EACCES);
      expect(await errnoOf(rig.unlink(parent, '.env'))).toBe(ENOENT);
      expect(await errnoOf(rig.rename([parent, '.env'], [ROOT, 'seen']))).toBe(ENOENT);
      expect(await errnoOf(rig.rename([ROOT, 'plain'], [parent, '.env']))).toBe(EACCES);
      expect(await errnoOf(rig.rename([ROOT, 'plain'], [parent, '.env'], 2))).toBe(ENOENT);
      const { node } = await rig.lookup(ROOT, 'plain');
      expect(await errnoOf(rig.link(node, parent, '.env'))).toBe(EACCES);
    }
  });

  it('is reached without the policy', async () => {
    await using rig = await Rig.mount(folder);
    const { node } = await rig.lookup(ROOT, '.env');
    expect((await rig.read(node, await rig.open(node))).toString()).toBe('.env');
    expect(await names(rig, ROOT)).toContain('.env');
  });

  it('is hidden under each of its hard links that the guest knows', async () => {
    rules = {};
    linkSync(at('.env'), at('alias'));
    await using rig = await Rig.mount(folder, { decide });
    const alias = await rig.lookup(ROOT, 'alias');
    const handle = await rig.open(alias.node);
    await rig.lookup(ROOT, '.env');
    rules = { '.env': 'hidden' };
    expect(await errnoOf(rig.open(alias.node))).toBe(ENOENT);
    expect(await errnoOf(rig.read(alias.node, handle))).toBe(ENOENT);
    expect(await errnoOf(rig.getattr(alias.node))).toBe(ENOENT);
  });
});

describe('a read-only or private path', () => {
  it.each(['locked', '.git'])('can be read and not changed: %s', async (top) => {
    await using rig = await Rig.mount(folder, { decide });
    const dir = await rig.lookup(ROOT, top);
    const file = top === '.git' ? 'config' : 'file';
    const { node } = await rig.lookup(dir.node, file);
    const handle = await rig.open(node);
    expect((await rig.read(node, handle)).toString()).toBe(`${top}/${file}`);
    const failing = [
      rig.open(node, 1),
      rig.open(node, 0o1000),
      rig.create(dir.node, file),
      rig.create(dir.node, 'new'),
      rig.tmpfile(dir.node),
      rig.mkdir(dir.node, 'new'),
      rig.unlink(dir.node, file),
      rig.rmdir(ROOT, top),
      rig.rename([dir.node, file], [ROOT, 'x']),
      rig.rename([ROOT, 'plain'], [dir.node, file]),
      rig.rename([ROOT, 'plain'], [dir.node, file], 2),
      rig.rename([ROOT, top], [ROOT, 'moved']),
      rig.link(node, ROOT, 'alias'),
      rig.setattr(node, { size: 0 }),
      rig.setattr(node, { mode: 0o777 }),
      rig.setattr(node, { uid: 5 }),
      rig.setattr(node, { mtime: { seconds: 1, nanoseconds: 0 } }),
      rig.setxattr(node, 'user.x', Buffer.from('x')),
      rig.removexattr(node, 'user.x'),
      rig.write(node, handle, 'x'),
      rig.fallocate(node, handle, { offset: 0, length: 100 }),
    ];
    for (const call of failing) expect(await errnoOf(call)).toBe(EROFS);
    expect(readdirSync(folder).sort()).toEqual(['.env', '.git', 'locked', 'plain', 'sub']);
  });
});

describe('a policy that changes', () => {
  it('holds for nodes and handles from before', async () => {
    await using rig = await Rig.mount(folder, { decide });
    const { node } = await rig.lookup(ROOT, 'plain');
    const handle = await rig.open(node, 2);
    const { node: sub } = await rig.lookup(ROOT, 'sub');
    const listing = await rig.opendir(sub);
    await rig.write(node, handle, 'PLAIN');
    rules = { plain: 'read-only', sub: 'hidden' };
    expect(await errnoOf(rig.write(node, handle, 'x'))).toBe(EROFS);
    expect((await rig.read(node, handle)).toString()).toBe('PLAIN');
    expect(await errnoOf(rig.copy({ node, handle, offset: 0 }, { node, handle, offset: 9 }, 5))).toBe(EROFS);
    expect(await errnoOf(rig.readdir(sub, listing))).toBe(ENOENT);
    expect(await errnoOf(rig.create(sub, 'new'))).toBe(EACCES);
    rules = { plain: 'hidden' };
    expect(await errnoOf(rig.read(node, handle))).toBe(ENOENT);
    await rig.unlink(ROOT, 'sub').catch(() => undefined);
    rules = {};
    expect((await rig.read(node, handle)).toString()).toBe('PLAIN');
  });

  it('holds for an open file without a name by the name that it had', async () => {
    await using rig = await Rig.mount(folder, { decide });
    const { node } = await rig.lookup(ROOT, 'plain');
    const handle = await rig.open(node, 2);
    await rig.unlink(ROOT, 'plain');
    rules = { plain: 'hidden' };
    expect(await errnoOf(rig.read(node, handle))).toBe(ENOENT);
  });

  it('is asked with the path that a renamed folder has now', async () => {
    await using rig = await Rig.mount(folder, { decide });
    const { node: sub } = await rig.lookup(ROOT, 'sub');
    const { node } = await rig.create(sub, 'file');
    await rig.rename([ROOT, 'sub'], [ROOT, 'other']);
    rules = { other: 'read-only' };
    expect(await errnoOf(rig.open(node, 1))).toBe(EROFS);
    renameSync(at('other'), at('sub'));
    await rig.lookup(ROOT, 'sub');
    await rig.open(node, 1);
  });

  it('that throws is an EIO, which is logged, and the session continues', async () => {
    await using rig = await Rig.mount(folder, {
      decide: ({ path }) => {
        if (path.toString() === 'plain') throw new Error('a fault of the policy');
        return 'pass';
      },
    });
    expect(await errnoOf(rig.lookup(ROOT, 'plain'))).toBe(5);
    expect(rig.errors).toEqual([new Error('a fault of the policy')]);
    expect((await rig.lookup(ROOT, 'sub')).node).toBeGreaterThan(ROOT);
  });

  it('gets the identity of a file, so that it can know a hard link', async () => {
    linkSync(at('.env'), at('alias'));
    let secret: string | undefined;
    const byIdentity = ({ path, identity }: PolicyRequest): WorkspaceVerdict => {
      if (path.toString() === '.env') secret = identity;
      return identity !== undefined && identity === secret ? 'hidden' : 'pass';
    };
    await using rig = await Rig.mount(folder, { decide: byIdentity });
    expect(await errnoOf(rig.lookup(ROOT, '.env'))).toBe(ENOENT);
    expect(await errnoOf(rig.lookup(ROOT, 'alias'))).toBe(ENOENT);
    expect(await errnoOf(rig.unlink(ROOT, 'alias'))).toBe(ENOENT);
    expect(await errnoOf(rig.create(ROOT, 'alias'))).toBe(ENOENT);
    expect((await rig.lookup(ROOT, 'plain')).attr.size).toBe(5);
  });

  it('gets paths as bytes, kinds and operations', async () => {
    const asked: string[] = [];
    const record = ({ path, kind, operation }: PolicyRequest): WorkspaceVerdict => {
      asked.push(`${operation} ${kind} ${path.toString('latin1')}`);
      return 'pass';
    };
    await using rig = await Rig.mount(folder, { decide: record });
    const odd = Buffer.from([0xff]);
    const { node } = await rig.mkdir(ROOT, odd);
    await rig.create(node, 'f');
    await rig.rename([node, 'f'], [ROOT, 'g']);
    expect(asked).toEqual([
      'create directory \xff',
      'create file \xff/f',
      'rename-from file \xff/f',
      'rename-to file g',
    ]);
  });
});
