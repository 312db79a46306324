/** What a guest's kernel is answered where paths are private, and what stays on the host. */
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { privateEntries } from '../../../../lib/workspace/layer/private-entries.ts';
import { errnoOf, ROOT } from '../server/rig.ts';
import { World } from './world.ts';

const [ENOENT, EPERM, EEXIST, EXDEV, ENOSPC, EROFS, ENOTEMPTY] = [2, 1, 17, 18, 28, 30, 39];

const GIT = {
  '.git/HEAD': 'ref: refs/heads/main\n',
  '.git/config': '[core]\n',
  '.git/objects/': '',
  '.git/refs/heads/': '',
};

describe("git's config", () => {
  test('is changed as git does it, through its lock, and the host keeps its own', async () => {
    await using world = await World.make(GIT);
    await world.write('.git/config.lock', '[core]\nfsmonitor = evil\n');
    await world.rename('.git/config.lock', '.git/config');
    expect(await world.read('.git/config')).toContain('evil');
    expect(await world.names('.git')).toEqual(['HEAD', 'config', 'objects', 'refs']);
    expect(world.onHost('.git/config')).toBe('[core]\n');
    expect(readdirSync(join(world.project, '.git')).sort()).toEqual(['HEAD', 'config', 'objects', 'refs']);
    await world.restart();
    expect(await world.read('.git/config')).toContain('evil');
  });

  test('is changed on the host where the names are not private, which the layer prevents', async () => {
    await using world = await World.make({ 'git/config': '[core]\n' });
    await world.write('git/config', 'evil');
    expect(world.onHost('git/config')).toBe('evil');
  });

  test('is read-only without a layer', async () => {
    await using world = await World.make(GIT, { hasLayer: false });
    expect(await errnoOf(world.write('.git/config.lock', 'x'))).toBe(EROFS);
    expect(await errnoOf(world.write('.git/config', 'x'))).toBe(EROFS);
  });

  test('is replaced by a file from beside it in one rename, which the host never sees', async () => {
    await using world = await World.make({ ...GIT, 'other.tmp': 'new' });
    await world.rename('other.tmp', '.git/config');
    expect(await world.read('.git/config')).toBe('new');
    expect(world.onHost('.git/config')).toBe('[core]\n');
    expect(existsSync(join(world.project, 'other.tmp'))).toBe(false);
    expect(await errnoOf(world.rename('.git/config', 'out'))).toBe(EXDEV);
    expect(existsSync(join(world.project, 'out'))).toBe(false);
  });
});

test('a repository that is made inside is the sandbox’s own, and survives a restart', async () => {
  await using world = await World.make({ 'src/a.ts': 'a' });
  for (const path of ['.git', '.git/objects', '.git/refs', '.git/hooks']) await world.mkdir(path);
  await world.write('.git/HEAD', 'ref: refs/heads/main\n');
  await world.write('.git/config', '[core]\nfsmonitor = evil\n');
  await world.rename('.git/objects', '.git/objects2');
  await world.rename('.git/objects2', '.git/objects');
  for (let round = 0; round < 2; round++) {
    expect(await world.names('', true)).toEqual(['.git', 'src']);
    expect(await world.names('.git')).toEqual(['HEAD', 'config', 'hooks', 'objects', 'refs']);
    expect(readdirSync(world.project)).toEqual(['src']);
    await world.restart();
  }
  world.put('.git/config', 'of the host');
  expect(await world.read('.git/config')).toContain('evil');
});

test('a file that is copied up keeps its node, and what is open becomes the copy', async () => {
  await using world = await World.make({ '.envrc': 'host' });
  const node = await world.node('.envrc');
  const reader = await world.rig.open(node);
  expect((await world.rig.read(node, reader)).toString()).toBe('host');
  const writer = await world.rig.open(node, 1);
  await world.rig.write(node, writer, 'HOST+', { offset: 0 });
  expect(await world.node('.envrc')).toBe(node);
  expect((await world.rig.read(node, reader)).toString()).toBe('HOST+');
  expect((await world.rig.getattr(node, reader)).size).toBe(5);
  await world.rig.setattr(node, { mode: 0o600, handle: reader });
  expect(world.onHost('.envrc')).toBe('host');
  expect(lstatSync(join(world.project, '.envrc')).mode & 0o777).toBe(0o644);
});

test('an open file that was removed inside changes no more on the host', async () => {
  await using world = await World.make({ '.envrc': 'host' });
  const node = await world.node('.envrc');
  const reader = await world.rig.open(node);
  await world.rig.unlink(ROOT, '.envrc');
  await world.rig.setattr(node, { mode: 0o777, handle: reader });
  expect(lstatSync(join(world.project, '.envrc')).mode & 0o777).toBe(0o644);
  expect(world.onHost('.envrc')).toBe('host');
});

describe('a removed entry', () => {
  test('stays removed, and what is made in its place hides all of the host’s', async () => {
    await using world = await World.make({ '.vscode/tasks.json': 'host', '.vscode/other': 'host' });
    for (const name of ['tasks.json', 'other']) await world.rig.unlink(await world.node('.vscode'), name);
    expect(await world.names('.vscode')).toEqual([]);
    await world.rig.rmdir(ROOT, '.vscode');
    expect(await world.names('')).toEqual([]);
    await world.restart();
    expect(await errnoOf(world.node('.vscode'))).toBe(ENOENT);
    await world.mkdir('.vscode');
    expect(await world.names('.vscode')).toEqual([]);
    await world.write('.vscode/tasks.json', 'mine');
    await world.restart();
    expect(await world.names('.vscode')).toEqual(['tasks.json']);
    expect(await world.read('.vscode/tasks.json')).toBe('mine');
    expect(world.onHost('.vscode/tasks.json')).toBe('host');
  });

  test('of a folder with entries of the host needs these removed first', async () => {
    await using world = await World.make({ '.vscode/tasks.json': 'host' });
    expect(await errnoOf(world.rig.rmdir(ROOT, '.vscode'))).toBe(ENOTEMPTY);
    expect(await errnoOf(world.rename('.vscode', '.idea'))).toBe(EXDEV);
  });

  test('is listed as removed', async () => {
    await using world = await World.make({ '.envrc': 'host' });
    await world.rig.unlink(ROOT, '.envrc');
    expect([...privateEntries(world.layer, () => true)]).toMatchObject([{ path: '.envrc', kind: 'removed' }]);
  });
});

test('a folder has the entries of both, and the attributes that were set inside', async () => {
  await using world = await World.make({ '.vscode/tasks.json': 'host' });
  await world.write('.vscode/launch.json', 'mine');
  const node = await world.node('.vscode');
  await world.rig.setattr(node, { mode: 0o700 });
  for (const plus of [false, true]) expect(await world.names('.vscode', plus)).toEqual(['launch.json', 'tasks.json']);
  expect((await world.rig.getattr(node)).mode & 0o7777).toBe(0o700);
  expect(lstatSync(join(world.project, '.vscode')).mode & 0o777).not.toBe(0o700);
  world.put('.vscode/late.json', 'host');
  rmSync(join(world.project, '.vscode/tasks.json'));
  expect(await world.names('.vscode')).toEqual(['late.json', 'launch.json']);
  await world.restart();
  expect((await world.rig.lookup(ROOT, '.vscode')).attr.mode & 0o7777).toBe(0o700);
  rmSync(join(world.project, '.vscode'), { recursive: true });
  expect(await world.names('.vscode')).toEqual(['launch.json']);
});

test('what the project keeps apart is seen by its own side alone', async () => {
  await using world = await World.make({ 'node_modules/x/index.js': 'host' }, { private: ['node_modules'] });
  expect(await world.names('')).toEqual([]);
  expect(await errnoOf(world.node('node_modules'))).toBe(ENOENT);
  await world.mkdir('node_modules');
  await world.mkdir('node_modules/y');
  expect(await world.names('node_modules')).toEqual(['y']);
  expect(readdirSync(join(world.project, 'node_modules'))).toEqual(['x']);
  await world.restart();
  expect(await world.names('node_modules')).toEqual(['y']);
});

describe('an entry that the user took over', () => {
  test('is the one of the host from then on, and the guest hears of it', async () => {
    await using world = await World.make({ '.envrc': 'host' });
    await world.write('.envrc', 'mine');
    const bytes = world.layer.usage.bytes;
    const heard = world.rig.notifications.length;
    world.put('.envrc', 'mine');
    world.rig.session.takeOut(world.layer, { root: world.rig.volume.roots[0]?.name ?? '', path: '.envrc' });
    expect(world.layer.isEmpty).toBe(true);
    expect(world.layer.usage.bytes).toBe(bytes - 4);
    await expect.poll(() => world.rig.notifications.length).toBeGreaterThan(heard);
    world.put('.envrc', 'later');
    expect(await world.read('.envrc')).toBe('later');
  });
});

describe('special files', () => {
  const types = { fifo: 0o010644, socket: 0o140755, device: 0o020600 };

  test('live in the layer wherever they are made, and never on the host', async () => {
    await using world = await World.make({ 'src/a.ts': 'a' });
    const src = await world.node('src');
    for (const [name, mode] of Object.entries(types)) await world.rig.mknod(src, name, mode);
    await world.rename('src/socket', 'src/moved');
    await world.rig.setattr(await world.node('src/moved'), { mode: 0o700 });
    await world.rig.link(await world.node('src/fifo'), src, 'fifo2');
    await world.restart();
    const found = await world.rig.list(await world.node('src'), { plus: true });
    expect(Object.fromEntries(found.map(({ name, type }) => [name.toString(), type]))).toMatchObject({
      ...{ fifo: 1, fifo2: 1, moved: 12, device: 2, 'a.ts': 8 },
    });
    expect((await world.rig.walk('src/moved')).attr.mode).toBe(0o140700);
    expect(readdirSync(join(world.project, 'src'))).toEqual(['a.ts']);
    const kinds = readdirSync(join(world.layerPath, 'tree/src'), { withFileTypes: true });
    expect(kinds.every((one) => one.isFile())).toBe(true);
    expect(await errnoOf(world.rig.rmdir(ROOT, 'src'))).toBe(ENOTEMPTY);
    for (const { name } of kinds) await world.rig.unlink(await world.node('src'), name);
    expect(await world.names('src')).toEqual(['a.ts']);
  });

  test('keep their times when their mode changes', async () => {
    await using world = await World.make({ 'src/a.ts': 'a' });
    await world.rig.mknod(await world.node('src'), 'fifo', types.fifo);
    const fifo = await world.node('src/fifo');
    await world.rig.setattr(fifo, { mtime: { seconds: 7, nanoseconds: 8 } });
    expect(await world.rig.setattr(fifo, { mode: 0o600 })).toMatchObject({ mtimeNs: 7_000_000_008n, mode: 0o010600 });
  });

  test('are refused without a layer', async () => {
    await using world = await World.make({}, { hasLayer: false });
    expect(await errnoOf(world.rig.mknod(ROOT, 'fifo', types.fifo))).toBe(EPERM);
  });

  test('go with a folder of the host that is renamed', async () => {
    await using world = await World.make({ 'src/a.ts': 'a' });
    await world.rig.mknod(await world.node('src'), 'fifo', types.fifo);
    await world.rename('src', 'lib');
    expect(await world.names('lib')).toEqual(['a.ts', 'fifo']);
    await world.mkdir('src');
    expect(await world.names('src')).toEqual([]);
  });
});

describe('a hard link', () => {
  test('of a protected file that the guest knows is private under each of its names', async () => {
    await using world = await World.make({ '.envrc': 'host' });
    linkSync(join(world.project, '.envrc'), join(world.project, 'alias'));
    await world.node('.envrc');
    await world.node('alias');
    await world.write('alias', 'mine');
    for (const path of ['.envrc', 'alias']) {
      expect(await world.read(path)).toBe('mine');
      expect(world.onHost(path)).toBe('host');
    }
  });

  test('joins no private file with one of the host', async () => {
    await using world = await World.make({ '.envrc': 'host', plain: 'host' });
    expect(await errnoOf(world.rig.link(await world.node('.envrc'), ROOT, 'alias'))).toBe(EXDEV);
    expect(await errnoOf(world.rig.link(await world.node('plain'), ROOT, '.mcp.json'))).toBe(EXDEV);
    await world.rig.link(await world.node('.envrc'), ROOT, '.mcp.json');
    await world.write('.mcp.json', 'mine');
    expect(await world.read('.envrc')).toBe('mine');
    expect(readdirSync(world.project).sort()).toEqual(['.envrc', 'plain']);
  });
});

describe('a hostile guest', () => {
  test('leads the server nowhere by links in the layer', async () => {
    await using world = await World.make({ '.vscode/': '' });
    const secret = join(world.folder, 'secret');
    mkdirSync(secret);
    writeFileSync(join(secret, 'file'), 'secret');
    const parent = await world.node('.vscode');
    const { node } = await world.rig.symlink(parent, 'out', secret);
    expect(await errnoOf(world.rig.lookup(node, 'file'))).not.toBe(0);
    expect(await errnoOf(world.rig.create(node, 'new'))).not.toBe(0);
    expect(await errnoOf(world.rig.open(node, 1))).not.toBe(0);
    expect(readdirSync(secret)).toEqual(['file']);
  });

  test('is led nowhere by a link that took the place of a folder in the layer', async () => {
    await using world = await World.make({ '.vscode/': '' });
    await world.mkdir('.vscode/in');
    await world.restart();
    renameSync(join(world.layerPath, 'tree/.vscode/in'), join(world.folder, 'moved'));
    symlinkSync(world.folder, join(world.layerPath, 'tree/.vscode/in'));
    expect(await errnoOf(world.write('.vscode/in/x', 'x'))).not.toBe(0);
    expect(existsSync(join(world.folder, 'x'))).toBe(false);
  });

  test('uses any name', async () => {
    await using world = await World.make({ '.vscode/': '' });
    const parent = await world.node('.vscode');
    const names = [
      Buffer.alloc(255, 'x'),
      Buffer.from([0xff, 0x01]),
      ...['tree', 'work', 'special 010644 0'].map((name) => Buffer.from(name)),
    ];
    for (const name of names) {
      await world.rig.mkdir(parent, name);
      await world.rig.unlink(parent, name).catch(() => {});
    }
    expect(await errnoOf(world.rig.mkdir(parent, Buffer.alloc(256, 'x')))).toBe(36);
    for (const name of ['..', '.', 'a/b']) {
      expect(await errnoOf(world.rig.create(parent, name))).not.toBe(0);
      expect(await errnoOf(world.rig.unlink(parent, name))).not.toBe(0);
    }
    await world.restart();
    expect(await world.names('.vscode')).toHaveLength(names.length);
  });

  test('writes a file that looks like a record, or sets its bits, and it stays a file', async () => {
    await using world = await World.make({ '.vscode/': '' });
    await world.write('.vscode/x', 'special 020666 257\n');
    await world.rig.setattr(await world.node('.vscode/x'), { mode: 0o7777 });
    await world.mkdir('.vscode/in');
    await world.rig.setattr(await world.node('.vscode/in'), { mode: 0o7777 });
    const bits = (name: string) => lstatSync(join(world.layerPath, 'tree/.vscode', name)).mode & 0o7000;
    expect([bits('x'), bits('in')]).toEqual([0, 0]);
    await world.restart();
    expect(await world.read('.vscode/x')).toBe('special 020666 257\n');
    expect(await world.names('.vscode')).toEqual(['in', 'x']);
  });

  test('fills no more than its bounds', async () => {
    await using world = await World.make({ '.vscode/': '' }, { limits: { bytes: 1000, entries: 4 } });
    await world.write('.vscode/a', Buffer.alloc(900));
    expect(await errnoOf(world.write('.vscode/b', Buffer.alloc(200)))).toBe(ENOSPC);
    const a = await world.node('.vscode/a');
    const handle = await world.rig.open(a, 2);
    for (const size of [1001, 2 ** 40]) expect(await errnoOf(world.rig.setattr(a, { size }))).toBe(ENOSPC);
    expect(await errnoOf(world.rig.fallocate(a, handle, { offset: 0, length: 2000 }))).toBe(ENOSPC);
    await world.rig.unlink(await world.node('.vscode'), 'a');
    expect(await errnoOf(world.write('.vscode/b', Buffer.alloc(200)))).toBe(ENOSPC);
    await world.rig.release(a, handle);
    await world.write('.vscode/b', Buffer.alloc(800));
    await world.write('.vscode/c', '');
    await world.mkdir('.vscode/d');
    expect(await errnoOf(world.write('.vscode/e', ''))).toBe(ENOSPC);
    await world.restart();
    expect(world.layer.usage).toMatchObject({ bytes: 800, entries: 4 });
  });

  test('hides nothing from a rule by making it private', async () => {
    await using world = await World.make({ '.vscode/': '' }, { hide: ['secret'] });
    expect(await errnoOf(world.write('.vscode/secret', 'x'))).toBe(13);
    expect(await errnoOf(world.mkdir('.vscode/..'))).not.toBe(EEXIST);
  });
});

test('a server that is killed while it makes an entry leaves it whole or not at all', async () => {
  await using world = await World.make({ '.vscode/': '' });
  mkdirSync(join(world.layerPath, 'work/left/deep'), { recursive: true });
  writeFileSync(join(world.layerPath, 'work/left/deep/file'), 'half');
  await world.restart();
  expect(readdirSync(join(world.layerPath, 'work'))).toEqual([]);
});

test('private entries are listed with what they change', async () => {
  await using world = await World.make({ '.envrc': 'host', '.vscode/tasks.json': 'host', 'src/a.ts': 'a' });
  await world.write('.envrc', 'mine');
  await world.rig.unlink(await world.node('.vscode'), 'tasks.json');
  await world.rig.mknod(await world.node('src'), 'fifo', 0o010644);
  await world.mkdir('.git');
  await world.rig.symlink(await world.node('.git'), 'x', 'y');
  const lower = (path: string) => existsSync(join(world.project, path));
  expect([...privateEntries(world.layer, lower)]).toEqual([
    { path: '.envrc', kind: 'file', size: 4, isOpaque: false, hasLower: true },
    { path: '.git', kind: 'folder', size: 0, isOpaque: true, hasLower: false },
    { path: '.git/x', kind: 'link', size: 0, isOpaque: false, hasLower: false },
    { path: '.vscode', kind: 'folder', size: 0, isOpaque: false, hasLower: true },
    { path: '.vscode/tasks.json', kind: 'removed', size: 0, isOpaque: false, hasLower: true },
    { path: 'src/fifo', kind: 'special', size: 0, isOpaque: false, hasLower: false },
  ]);
});
