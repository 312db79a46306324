/** The daemon's client and real workspace servers in their jails. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { workspacePaths } from '../../../../lib/paths.ts';
import type { Follow } from '../../../../lib/workspace/client/follow.ts';
import { ENOENT, EROFS, FakeVm } from './fake-vm.ts';
import { DIST, Host, isRunning, rules, until } from './host.ts';

const ROOT = 1;

let host: Host;
let vms: FakeVm[];

beforeEach(() => {
  host = new Host();
  vms = [];
});
afterEach(async () => {
  for (const vm of vms) await vm[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
});

async function boot(link: string): Promise<FakeVm> {
  const vm = await FakeVm.boot(link);
  vms.push(vm);
  await vm.mount();
  return vm;
}

describe('a guest', () => {
  test('reads and writes the folder of the host', async () => {
    const folder = host.folder('project');
    const { link } = await host.client().attach(host.guest('a'), [folder]);
    const vm = await boot(link);
    const { node } = await vm.entry(ROOT, 'file');
    const { handle } = await vm.open(node);
    expect(await vm.read(node, handle)).toEqual({ errno: 0, text: "project's content" });
    expect(await vm.create(ROOT, 'made inside')).toBe(0);
    expect(existsSync(join(folder.path, 'made inside'))).toBe(true);
  });

  test('is reported with how much of what it uses is watched', async () => {
    const client = host.client();
    expect(client.watchedOf(host.guest('a'))).toBeUndefined();
    await client.attach(host.guest('a'), [host.folder('project')]);
    expect(client.watchedOf(host.guest('a'))).toBe('all');
  });

  test('sees each of several folders below its name, a read-only one as that, a single file alone', async () => {
    const [work, data, plain] = [host.folder('work'), host.folder('data'), host.folder('plain')];
    const { link } = await host
      .client()
      .attach(host.guest('a'), [
        work,
        { ...data, name: 'm0', readonly: true },
        { ...plain, name: 'm1', path: join(plain.path, 'file'), isFile: true },
      ]);
    writeFileSync(join(plain.path, 'other'), '');
    const vm = await boot(link);
    const [ws, m0, m1] = [await vm.entry(ROOT, 'ws'), await vm.entry(ROOT, 'm0'), await vm.entry(ROOT, 'm1')];
    expect(await vm.create(ws.node, 'new')).toBe(0);
    expect(await vm.create(m0.node, 'new')).toBe(EROFS);
    expect(await vm.lookup(m1.node, 'file')).toBe(0);
    expect(await vm.lookup(m1.node, 'other')).toBe(ENOENT);
  });

  test('gets other rules at once, in the same session', async () => {
    const folder = host.folder('project', { rules: rules({}) });
    const client = host.client();
    const { link } = await client.attach(host.guest('a'), [folder]);
    const vm = await boot(link);
    expect(await vm.lookup(ROOT, 'file')).toBe(0);
    expect(await client.attach(host.guest('a'), [{ ...folder, rules: rules({ hide: ['file'] }) }])).toEqual({ link });
    expect(await vm.lookup(ROOT, 'file')).toBe(ENOENT);
    expect(vm.connections).toBe(1);
  });

  test('gets the rules that follow from what changes outside, until it is attached with others or detached', async () => {
    const folder = host.folder('project', { rules: rules({}) });
    const running: Parameters<Follow>[] = [];
    const client = host.client(DIST, (...one) => {
      running.push(one);
      return { [Symbol.asyncDispose]: async () => void running.splice(running.indexOf(one), 1) };
    });
    const { link } = await client.attach(host.guest('a'), [folder]);
    const vm = await boot(link);
    expect(await vm.lookup(ROOT, 'file')).toBe(0);
    await running[0]?.[1]([{ ...folder, rules: rules({ hide: ['file'] }) }]);
    expect(await vm.lookup(ROOT, 'file')).toBe(ENOENT);
    await client.attach(host.guest('a'), [{ ...folder, rules: rules({ hide: ['other'] }) }]);
    expect(running.map(([[one]]) => one?.rules)).toEqual([rules({ hide: ['other'] })]);
    await client.detach(host.guest('a'));
    expect(running).toEqual([]);
  });

  test('keeps the folder that the host moves or deletes', async () => {
    const folder = host.folder('project');
    const { link } = await host.client().attach(host.guest('a'), [folder]);
    const vm = await boot(link);
    renameSync(folder.path, `${folder.path}-moved`);
    expect(await vm.create(ROOT, 'new')).toBe(0);
    expect(existsSync(join(`${folder.path}-moved`, 'new'))).toBe(true);
    rmSync(`${folder.path}-moved`, { recursive: true });
    expect(await vm.lookup(ROOT, 'file')).toBe(ENOENT);
    expect(vm.connections).toBe(1);
  });

  test('is refused when its folder was replaced by another one', async () => {
    const folder = host.folder('project');
    const client = host.client();
    await client.attach(host.guest('a'), [folder]);
    renameSync(folder.path, `${folder.path}-before`);
    host.folder('project');
    await expect(client.attach(host.guest('a'), [folder])).rejects.toMatchObject({ code: 'workspace' });
    expect(client.serves(host.guest('a'), [folder])).toBe(false);
  });

  test('is known to have lost its folder while that is away or replaced, and only then', async () => {
    const [project, data] = [host.folder('project'), host.folder('data')];
    const [client, guest] = [host.client(), host.guest('a')];
    expect(client.state(guest)).toBeUndefined();
    await client.attach(guest, [project, { ...data, name: 'm0' }]);
    expect(client.state(guest)).toEqual({ is: 'served' });
    renameSync(data.path, `${data.path}-moved`);
    expect(client.state(guest)).toEqual({ is: 'gone', path: data.path });
    mkdirSync(data.path);
    expect(client.state(guest)).toEqual({ is: 'replaced', path: data.path });
    expect(host.client().state(guest)).toEqual({ is: 'replaced', path: data.path });
    rmSync(data.path, { recursive: true });
    writeFileSync(data.path, 'a file');
    expect(client.state(guest)).toEqual({ is: 'replaced', path: data.path });
    rmSync(data.path);
    renameSync(`${data.path}-moved`, data.path);
    expect(client.state(guest)).toEqual({ is: 'served' });
    await client.detach(guest);
    expect(client.state(guest)).toBeUndefined();
  });

  test('of an earlier version, whose record names no folders, is not said to have lost one', async () => {
    const [folder, client, guest] = [host.folder('project'), host.client(), host.guest('a')];
    await client.attach(guest, [folder]);
    const { key, link } = JSON.parse(readFileSync(guest.recordFile, 'utf8')) as { key: string; link: string };
    writeFileSync(guest.recordFile, JSON.stringify({ key, link }));
    rmSync(folder.path, { recursive: true });
    expect(client.state(guest)).toEqual({ is: 'served' });
  });

  test('leaves nothing when it is detached, and the others are served on', async () => {
    const folder = host.folder('project');
    const client = host.client();
    const [a, b] = [host.guest('a'), host.guest('b')];
    const [first, second] = [await client.attach(a, [folder]), await client.attach(b, [folder])];
    await boot(first.link);
    const vm = await boot(second.link);
    const { shared } = workspacePaths(host.home, host.keys()[0] ?? '');
    const state = join(shared, `${first.link.split('/').at(-1)}.json`);
    expect(existsSync(state)).toBe(true);
    await client.detach(a);
    expect([first.link, state, a.recordFile].map((path) => existsSync(path))).toEqual([false, false, false]);
    expect(await vm.lookup(ROOT, 'file')).toBe(0);
    await client.detach(a);
  });

  test('is let go by a daemon that did not attach it', async () => {
    const [folder, client] = [host.folder('project'), host.client()];
    const vm = await boot((await client.attach(host.guest('a'), [folder])).link);
    await client[Symbol.asyncDispose]();
    await host.client().detach(host.guest('a'));
    await expect(vm.lookup(ROOT, 'file')).rejects.toThrow(/ended/);
  });

  test('is served where its home has a path that no socket could have', async () => {
    const long = new Host();
    try {
      long.home.workspaces = join(long.dir, 'x'.repeat(120), 'workspaces');
      const { link } = await long.client().attach(long.guest('a'), [long.folder('project')]);
      const vm = await boot(link);
      expect(await vm.lookup(ROOT, 'file')).toBe(0);
    } finally {
      await vms.pop()?.[Symbol.asyncDispose]();
      await long[Symbol.asyncDispose]();
    }
  });
});

describe('one server', () => {
  test('serves all guests of the same folders, also those that come at once; other folders have another', async () => {
    const [folder, other] = [host.folder('project'), host.folder('other')];
    const client = host.client();
    const ids = ['a', 'b', 'c', 'd'];
    const links = await Promise.all(ids.map((id) => client.attach(host.guest(id), [folder])));
    expect(host.keys()).toHaveLength(1);
    expect(new Set(links.map(({ link }) => link)).size).toBe(ids.length);
    for (const { link } of links) expect(await (await boot(link)).lookup(ROOT, 'file')).toBe(0);
    await client.attach(host.guest('e'), [other]);
    await client.attach(host.guest('f'), [{ ...folder, readonly: true }]);
    expect(new Set(host.keys().map((key) => host.pidOf(key))).size).toBe(3);
  });

  test('has rules for each guest', async () => {
    const folder = host.folder('project');
    const client = host.client();
    const open = await client.attach(host.guest('a'), [{ ...folder, rules: rules({}) }]);
    const hidden = await client.attach(host.guest('b'), [{ ...folder, rules: rules({ hide: ['file'] }) }]);
    expect(await (await boot(open.link)).lookup(ROOT, 'file')).toBe(0);
    expect(await (await boot(hidden.link)).lookup(ROOT, 'file')).toBe(ENOENT);
  });

  test('serves on without its daemon, and the next daemon adopts it without disturbing a session', async () => {
    const folder = host.folder('project');
    const first = host.client();
    const { link } = await first.attach(host.guest('a'), [folder]);
    const vm = await boot(link);
    const { node } = await vm.entry(ROOT, 'file');
    const { handle } = await vm.open(node);
    const pid = host.pidOf();
    await first[Symbol.asyncDispose]();
    expect((await vm.read(node, handle)).errno).toBe(0);
    const next = host.client();
    await next.sweep([host.guest('a').recordFile]);
    expect(await next.attach(host.guest('a'), [folder])).toEqual({ link });
    expect((await vm.read(node, handle)).errno).toBe(0);
    expect([host.pidOf(), vm.connections]).toEqual([pid, 1]);
  });

  test('serves the guest that a pooled one has become through the same link', async () => {
    const folder = host.folder('project');
    const client = host.client();
    const { link } = await client.attach(host.guest('pooled'), [folder]);
    const vm = await boot(link);
    client.move(host.guest('pooled'), host.guest('a'));
    expect(await client.attach(host.guest('a'), [folder])).toEqual({ link });
    expect(await vm.lookup(ROOT, 'file')).toBe(0);
    expect(vm.connections).toBe(1);
  });
});

describe('sweep', () => {
  test('ends servers that serve no living guest and removes what they left', async () => {
    const client = host.client();
    const [live, dead] = [host.guest('live'), host.guest('dead')];
    const { link } = await client.attach(live, [host.folder('project')]);
    await client.attach(dead, [host.folder('other')]);
    const vm = await boot(link);
    const pids = host.keys().map((key) => host.pidOf(key) ?? 0);
    await client[Symbol.asyncDispose]();
    await host.client().sweep([live.recordFile]);
    expect(host.keys()).toHaveLength(1);
    await until(() => pids.filter(isRunning).length === 1);
    expect(await vm.lookup(ROOT, 'file')).toBe(0);
  });
});

test('a server that cannot start says why', async () => {
  const dist = join(host.dir, 'dist');
  mkdirSync(dist);
  symlinkSync(join(DIST, '../node_modules'), join(host.dir, 'node_modules'));
  writeFileSync(join(dist, 'package.json'), '{"type":"module"}');
  writeFileSync(join(dist, 'build.json'), '{"build":"x"}');
  writeFileSync(join(dist, 'workspace-server.js'), "console.log('the last words'); process.exit(1);");
  const attached = host.client(dist).attach(host.guest('a'), [host.folder('project')]);
  await expect(attached).rejects.toMatchObject({ code: 'workspace', why: expect.stringContaining('the last words') });
});

describe('an explanation', () => {
  const source = { file: '/project/sandbox.toml', line: 3, column: 9 };
  const hidden = { ...rules({}), hide: [{ text: 'secret', source }] };

  test('names the verdicts and the rule with its file and line', async () => {
    const client = host.client();
    await client.attach(host.guest('a'), [host.folder('project', { rules: hidden })]);
    const found = await client.explain(host.guest('a'), { folder: 'ws', path: 'secret' });
    expect(found).toMatchObject({ path: 'secret', read: 'hidden', write: 'hidden' });
    expect(found?.lines.join('\n')).toContain('sandbox.toml:3');
    expect(await client.explain(host.guest('a'), { folder: 'ws', path: 'file' })).toMatchObject({ write: 'pass' });
    expect(await client.explain(host.guest('a'), { folder: 'ws', path: '.git/' })).toMatchObject({ write: 'private' });
  });

  test('follows the rules that are in force', async () => {
    const client = host.client();
    const folder = host.folder('project', { rules: rules({}) });
    await client.attach(host.guest('a'), [folder]);
    expect(await client.explain(host.guest('a'), { folder: 'ws', path: 'secret' })).toMatchObject({ read: 'pass' });
    await client.attach(host.guest('a'), [{ ...folder, rules: hidden }]);
    expect(await client.explain(host.guest('a'), { folder: 'ws', path: 'secret' })).toMatchObject({ read: 'hidden' });
  });

  test('is not given for a guest that is not served, and refused for a folder that it does not have', async () => {
    const client = host.client();
    expect(await client.explain(host.guest('a'), { folder: 'ws', path: 'file' })).toBeUndefined();
    await client.attach(host.guest('a'), [host.folder('project')]);
    await expect(client.explain(host.guest('a'), { folder: 'm0', path: 'file' })).rejects.toThrow('refused a request');
  });

  test('of a path that leads out of the folder says nothing about what is there', async () => {
    const client = host.client();
    const folder = host.folder('project', { rules: rules({}) });
    symlinkSync(host.dir, join(folder.path, 'out'));
    await client.attach(host.guest('a'), [folder]);
    const through = await client.explain(host.guest('a'), { folder: 'ws', path: 'out/home' }).catch(String);
    const missing = await client.explain(host.guest('a'), { folder: 'ws', path: 'out/none' }).catch(String);
    expect(JSON.stringify(through).replaceAll('home', 'none')).toBe(JSON.stringify(missing));
  });
});
