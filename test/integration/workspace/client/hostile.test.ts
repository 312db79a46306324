/** A server, or a VM monitor, in the hands of a guest: what it answers to the daemon, and what it puts into the shared folder. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { workspacePaths } from '../../../../lib/paths.ts';
import { askServer } from '../../../../lib/workspace/client/ask.ts';
import { LINE_MAX } from '../../../../lib/workspace/protocol/messages.ts';
import { FakeVm } from './fake-vm.ts';
import { Host } from './host.ts';

describe('a control socket', () => {
  let dir: string;
  let control: string;
  let server: Server;
  const sockets: Socket[] = [];

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'sbx-control-'));
    control = join(dir, 'control');
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    rmSync(dir, { recursive: true, force: true });
  });

  function listen(answer: (socket: Socket) => void): Promise<void> {
    server = createServer((socket) => {
      sockets.push(socket.on('error', () => {}));
      socket.once('data', () => answer(socket));
    });
    return new Promise((resolve) => server.listen(control, resolve));
  }
  const ask = () => askServer(control, { op: 'status' });

  test('that answers as agreed is believed', async () => {
    await listen((socket) => socket.write('{"guests":[{"id":"a","connected":true,"watched":"all"}]}\n'));
    expect(await ask()).toEqual({ guests: [{ id: 'a', connected: true, watched: 'all' }] });
  });

  test.each([
    ['no JSON', 'hello\n'],
    ['an empty line', '\n'],
    ['null', 'null\n'],
    ['an unknown answer', '{"ok":true}\n'],
    ['a field too many', '{"guests":[],"run":"x"}\n'],
    ['an unknown state', '{"guests":[{"id":"a","connected":true,"watched":"<b>"}]}\n'],
    ['another type', '{"guests":[{"id":1,"connected":"yes"}]}\n'],
    ['a prototype', '{"__proto__":{"guests":[]}}\n'],
  ])('that answers %s is not believed', async (_, text) => {
    await listen((socket) => socket.write(text));
    await expect(ask()).rejects.toThrow();
  });

  test('that answers with an error of its own is quoted, not obeyed', async () => {
    await listen((socket) => socket.write('{"error":"no"}\n'));
    await expect(ask()).rejects.toMatchObject({ code: 'workspace', why: 'no' });
  });

  test('that never ends its line is left at a bound', async () => {
    let sent = 0;
    const chunk = 'x'.repeat(65_536);
    await listen((socket) => {
      const more = () => {
        if (socket.destroyed) return;
        sent += chunk.length;
        socket.write(chunk, more);
      };
      more();
    });
    await expect(ask()).rejects.toThrow(/invalid answer/);
    expect(sent).toBeLessThan(2 * LINE_MAX);
  });

  test('that closes without an answer is an error', async () => {
    await listen((socket) => socket.destroy());
    await expect(ask()).rejects.toThrow(/closed|ECONNRESET/);
  });

  test('that is a link is not followed', async () => {
    await listen((socket) => socket.write('{"guests":[]}\n'));
    const link = join(dir, 'link');
    symlinkSync(control, link);
    await expect((async () => askServer(link, { op: 'status' }))()).rejects.toThrow();
  });
});

describe('a shared folder', () => {
  let host: Host;
  const vms: FakeVm[] = [];

  beforeEach(() => {
    host = new Host();
  });
  afterEach(async () => {
    for (const vm of vms.splice(0)) await vm[Symbol.asyncDispose]();
    await host[Symbol.asyncDispose]();
  });

  /** Something of the host's that neither a VM nor a server may reach */
  function prey(): string {
    const folder = join(host.dir, 'prey');
    mkdirSync(folder);
    writeFileSync(join(folder, 'key'), 'secret');
    return folder;
  }

  test("in which a link took the place of a guest's folder is not given to its VM", async () => {
    const folder = host.folder('project');
    const client = host.client();
    const { link } = await client.attach(host.guest('a'), [folder]);
    rmSync(link, { recursive: true });
    symlinkSync(prey(), link);
    // What the VM's jail would be given without the check
    expect(readdirSync(link)).toEqual(['key']);
    await expect(client.attach(host.guest('a'), [folder])).rejects.toMatchObject({ code: 'workspace' });
  });

  test("in which a link took the place of all guests' folders neither gives nor takes anything behind it", async () => {
    const folder = host.folder('project');
    const client = host.client();
    const { link } = await client.attach(host.guest('a'), [folder]);
    const [id, target] = [link.split('/').at(-1) ?? '', prey()];
    mkdirSync(join(target, id));
    writeFileSync(join(target, id, 'key'), 'secret');
    renameSync(dirname(link), `${dirname(link)}-before`);
    symlinkSync(target, dirname(link));
    await expect(client.attach(host.guest('b'), [folder])).rejects.toMatchObject({ code: 'workspace' });
    await client.detach(host.guest('a'));
    await client[Symbol.asyncDispose]();
    await host.client().sweep([]);
    expect(readdirSync(join(target, id))).toEqual(['key']);
    expect(existsSync(join(target, 'key'))).toBe(true);
  });

  test("in which a link took the place of a VM's port leads the server nowhere", async () => {
    const folder = host.folder('project');
    const client = host.client();
    const [a, b] = [await client.attach(host.guest('a'), [folder]), await client.attach(host.guest('b'), [folder])];
    const other = await FakeVm.boot(b.link);
    vms.push(other);
    await other.mount();
    symlinkSync(`../${b.link.split('/').at(-1)}/port`, join(a.link, 'port'));
    const { control } = workspacePaths(host.home, host.keys()[0] ?? '');
    // Several rounds of the server's retry have passed when it has answered this often.
    for (let count = 0; count < 40; count += 1) await askServer(control, { op: 'status' });
    expect((await askServer(control, { op: 'status' })).guests.map(({ connected }) => connected)).toEqual([
      false,
      true,
    ]);
    expect(other.connections).toBe(1);
    rmSync(join(a.link, 'port'));
    const own = await FakeVm.boot(a.link);
    vms.push(own);
    await own.mount();
  });
});
