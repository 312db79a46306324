/** Servers that are killed, hang or cannot start, and what their guests see of it. */
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EBADF, FakeVm } from './fake-vm.ts';
import { DIST, Host, isRunning, kill, signal, until } from './host.ts';

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

/** Two guests of two folders each, both served by one server. */
async function twoGuests(distDir = DIST): Promise<{ pid: number; client: ReturnType<Host['client']> }> {
  const folders = [host.folder('project'), { ...host.folder('data'), name: 'm0' }];
  const client = host.client(distDir);
  for (const id of ['a', 'b']) await boot((await client.attach(host.guest(id), folders)).link);
  return { pid: host.pidOf() ?? 0, client };
}

describe('a server that is killed', () => {
  test('is replaced for all of its guests: they keep their mounts, and what was open answers EBADF', async () => {
    const { pid } = await twoGuests();
    const before = await Promise.all(
      vms.map(async (vm) => {
        const root = await vm.entry(ROOT, 'ws');
        const file = await vm.entry(root.node, 'file');
        return { vm, root, handle: (await vm.open(file.node)).handle, count: vm.connections };
      }),
    );
    kill(pid);
    for (const { vm, root, handle, count } of before) {
      await vm.connected(count);
      expect(await vm.stat(root.node)).toBe(0);
      const again = await vm.entry(root.node, 'file');
      expect((await vm.read(again.node, handle)).errno).toBe(EBADF);
      const opened = await vm.open(again.node);
      expect(await vm.read(again.node, opened.handle)).toEqual({ errno: 0, text: "project's content" });
    }
    expect(host.pidOf()).not.toBe(pid);
    expect(host.warnings).toContain('a workspace server has ended, starting it again');
  });

  test('is replaced again and again', async () => {
    await twoGuests();
    for (let count = 0; count < 3; count += 1) {
      const [seen, pid] = [vms.map(({ connections }) => connections), host.pidOf() ?? 0];
      kill(pid);
      for (const [index, vm] of vms.entries()) await vm.connected(seen[index]);
      await until(() => host.pidOf() !== pid);
      for (const vm of vms) expect(await vm.stat(ROOT)).toBe(0);
    }
  });

  test('while no daemon runs is replaced by the next one', async () => {
    const folder = host.folder('project');
    const first = host.client();
    const { link } = await first.attach(host.guest('a'), [folder]);
    const vm = await boot(link);
    await first[Symbol.asyncDispose]();
    const pid = host.pidOf() ?? 0;
    kill(pid);
    await until(() => !isRunning(pid));
    expect(await host.client().attach(host.guest('a'), [folder])).toEqual({ link });
    await vm.connected(1);
    expect(await vm.lookup(ROOT, 'file')).toBe(0);
  });

  test('and whose next one cannot start is tried again until one can', async () => {
    const dist = join(host.dir, 'dist');
    cpSync(DIST, dist, { recursive: true });
    symlinkSync(join(DIST, '../node_modules'), join(host.dir, 'node_modules'));
    writeFileSync(join(host.dir, 'package.json'), '{"type":"module"}');
    const { pid, client } = await twoGuests(dist);
    const script = join(dist, 'workspace-server.js');
    rmSync(script);
    kill(pid);
    await until(() => host.warnings.some((text) => text.startsWith('a workspace server could not be started')));
    expect(client.state(host.guest('a'))).toEqual({ is: 'lost' });
    cpSync(join(DIST, 'workspace-server.js'), script);
    for (const vm of vms) {
      await vm.connected(1);
      expect(await vm.stat(ROOT)).toBe(0);
    }
    await until(() => client.state(host.guest('a'))?.is === 'served');
  });

  test('without a daemon is missed by the next one', async () => {
    const { pid, client } = await twoGuests();
    await client[Symbol.asyncDispose]();
    kill(pid);
    await until(() => !isRunning(pid));
    expect(host.client().state(host.guest('a'))).toEqual({ is: 'lost' });
  });
});

test('a server that hangs is replaced', async () => {
  const { pid } = await twoGuests();
  signal(pid, 'SIGSTOP');
  for (const child of host.processesBelow(pid)) signal(child, 'SIGSTOP');
  for (const vm of vms) {
    await vm.connected(1);
    expect(await vm.stat(ROOT)).toBe(0);
  }
  expect(isRunning(pid)).toBe(false);
});

test('a server without its daemon that serves no living guest is ended, also when its home was removed', async () => {
  const client = host.client();
  await client.attach(host.guest('a'), [host.folder('project')]);
  const pid = host.pidOf() ?? 0;
  host.strays.add(pid);
  await client[Symbol.asyncDispose]();
  rmSync(host.home.root, { recursive: true });
  mkdirSync(host.home.root);
  await host.client().sweep([]);
  await until(() => !isRunning(pid));
});

test('a guest whose record is gone is not served on by a server that others use', async () => {
  const client = host.client();
  const folders = [host.folder('project')];
  const [live, dead] = [host.guest('live'), host.guest('dead')];
  const [first, second] = [await client.attach(live, folders), await client.attach(dead, folders)];
  const [kept, gone] = [await boot(first.link), await boot(second.link)];
  await client[Symbol.asyncDispose]();
  rmSync(dead.recordFile);
  await host.client().sweep([live.recordFile]);
  await expect(gone.stat(ROOT)).rejects.toThrow(/ended/);
  expect(await kept.stat(ROOT)).toBe(0);
  expect(host.linksOf(second.link)).toEqual([first.link.split('/').at(-1)]);
});
