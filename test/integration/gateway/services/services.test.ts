/** Services of the host: each reached under its name and port, and nothing else of the host. */
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compilePolicy } from '../../../../lib/gateway/policy/policy.ts';
import { serviceRule } from '../../../../lib/gateway/policy/services.ts';
import type { PolicyInput, PolicyRule } from '../../../../lib/gateway/policy/types.ts';
import { createDialer } from '../../../../lib/gateway/upstream/dial.ts';
import type { ServiceTarget } from '../../../../lib/spec/spec.ts';
import { CONNECT, GET, rule, startRig } from '../rig.ts';

let dir = '';
const servers: Server[] = [];
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-services-')));
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  rmSync(dir, { recursive: true, force: true });
});

/** Nothing listens there. */
const NO_PROXY = { host: '127.0.0.1', port: 1, authorization: undefined };

const echo = (socket: Socket) => {
  socket.on('error', () => socket.destroy());
  socket.write('service\n');
  socket.pipe(socket);
};

/** Serves on a free port of the loopback, or at a path. */
async function serve(at?: string, one: (socket: Socket) => void = echo): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, one);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(at ?? { host: '127.0.0.1', port: 0 }, resolve));
  return at === undefined ? (server.address() as AddressInfo).port : 0;
}

const place = { file: '/p/sandbox.toml', line: 3, column: 1 };
const ruleTo = (target: ServiceTarget, guestFolders: string[] = []): PolicyRule =>
  serviceRule({ name: 'db', port: 5432, target, source: place }, guestFolders);
const start = (policy: Partial<PolicyInput>, dialer = createDialer()) =>
  startRig({ policy: { allow: [], deny: [], ...policy }, dialer: () => dialer });
const DB = CONNECT('db.host.sbx:5432');

describe('is reached', () => {
  test('by its name and port; nothing is resolved, and the log has the rule with its place', async () => {
    const port = await serve();
    await using rig = await start({ allow: [ruleTo({ host: '127.0.0.1', port })] });
    const client = await rig.client();
    client.send(DB);
    await client.until('service\n');
    client.send('select');
    await client.until('select');
    client.socket.destroy();
    await expect.poll(() => rig.records().map(({ verdict }) => verdict)).toEqual(['allow', 'closed']);
    const text = `db.host.sbx:5432 ([[services]], 127.0.0.1:${port})`;
    const record = { host: 'db.host.sbx', port: 5432, reason: 'rule', rule: { text, file: place.file, line: 3 } };
    expect(rig.records()).toMatchObject([record, record]);
    expect(rig.lookups).toEqual([]);
  });

  test('at a Unix socket, in plain HTTP, and not through a proxy of the host', async () => {
    const path = join(dir, 'app.sock');
    await serve(path, (socket) => {
      socket.on('error', () => socket.destroy());
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok'));
    });
    const proxied = createDialer({ http: NO_PROXY, https: NO_PROXY });
    await using rig = await start({ allow: [ruleTo({ path })] }, proxied);
    expect(await rig.ask(GET('http://db.host.sbx:5432/', 'Connection: close\r\n'))).toMatch(/200 OK[\s\S]*ok$/);
  });

  test('until the policy leads it elsewhere or takes it away', async () => {
    const port = await serve();
    const allow = [ruleTo({ host: '127.0.0.1', port })];
    await using rig = await start({ allow });
    for (const next of [[ruleTo({ host: '127.0.0.1', port: await serve() })], []]) {
      const client = await rig.client();
      client.send(DB);
      await client.until('service\n');
      rig.listener.setPolicy(
        compilePolicy({ allow: [rule('api.ok.test'), ...rig.listener.policy.allow.map((one) => one.rule)], deny: [] }),
      );
      client.send('kept');
      await client.until('kept');
      rig.listener.setPolicy(compilePolicy({ allow: next, deny: [] }));
      await client.end();
      expect(rig.records().at(-1)).toMatchObject({ verdict: 'closed', reason: 'policy-changed' });
    }
    expect(await rig.ask(DB)).toContain('no service of the host has this name and port');
  });
});

describe('nothing else of the host', () => {
  test.each([
    ['another name', 'cache.host.sbx:5432'],
    ['another port', 'db.host.sbx:5433'],
    ['a name below it', 'x.db.host.sbx:5432'],
    ['the domain itself', 'host.sbx:5432'],
    ['its address', '127.0.0.1:5432'],
    ['the loopback by name', 'localhost:5432'],
  ])('%s is denied, whatever the lists and the mode say', async (_name, authority) => {
    const allow = [ruleTo({ host: '127.0.0.1', port: await serve() }), rule('**.sbx:1-65535'), rule('host.sbx:5432')];
    await using rig = await start({ allow, mode: authority.endsWith('sbx:5432') ? 'observe' : 'enforce' });
    expect(await rig.ask(CONNECT(authority))).toContain('403 ');
    expect(rig.records().map(({ verdict }) => verdict)).toEqual(['deny']);
  });

  test('a deny rule wins', async () => {
    await using rig = await start({
      allow: [ruleTo({ host: '127.0.0.1', port: await serve() })],
      deny: [rule('**.host.sbx')],
    });
    expect(await rig.ask(DB)).toContain('denied by the rule **.host.sbx');
  });

  test.each([['127.0.0.1'], ['127.0.0.0/8']])('a deny rule of its address wins, too: %s', async (pattern) => {
    const allow = [ruleTo({ host: '127.0.0.1', port: await serve() })];
    await using rig = await start({ allow, deny: [rule(pattern)] });
    expect(await rig.ask(DB)).toContain(`denied by the rule ${pattern}`);
  });

  test.each(['169.254.169.254', '10.1.2.3', '203.0.113.7'])(
    'an address of another machine is refused: %s',
    async (host) => {
      await using rig = await start({ allow: [ruleTo({ host, port: 80 })] });
      expect(await rig.ask(DB)).toContain(`its service at ${host} is not on this host`);
      await using open = await startRig({
        policy: { allow: [ruleTo({ host, port: 80 })], deny: [] },
        enforcement: { addressCheck: false },
      });
      const client = await open.client();
      client.send(DB);
      await client.until('200 ');
      client.socket.destroy();
    },
  );

  test('a service does not open the name of the network that its pattern would cover', async () => {
    const named = { ...ruleTo({ host: '127.0.0.1', port: await serve() }), pattern: 'api.ok.test:443' };
    await using rig = await start({ allow: [named] });
    expect(await rig.ask(CONNECT('api.ok.test:443'))).toContain('403 ');
  });
});

describe('a socket that the guest leads elsewhere', () => {
  const secret = async () => {
    const path = join(dir, 'secret.sock');
    await serve(path);
    return path;
  };
  const workspace = () => {
    const path = join(dir, 'workspace');
    mkdirSync(path);
    return path;
  };
  const planted = async () => {
    const [target, folder] = [await secret(), workspace()];
    symlinkSync(target, join(folder, 'app.sock'));
    return { path: join(folder, 'app.sock'), folder };
  };

  test('is not dialled through a link in its workspace', async () => {
    const { path, folder } = await planted();
    await using rig = await start({ allow: [ruleTo({ path }, [folder])] });
    expect(await rig.ask(DB)).toContain('502 ');
    expect(rig.records().at(-1)).toMatchObject({ verdict: 'error', reason: 'upstream-failed' });
  });

  test('would be without the control', async () => {
    const { path } = await planted();
    await using rig = await start({ allow: [ruleTo({ path }, [])] });
    const client = await rig.client();
    client.send(DB);
    await client.until('service\n');
    client.socket.destroy();
  });

  test('is not dialled through a link of the workspace that is neither the first nor the last of the way', async () => {
    const [target, folder] = [await secret(), workspace()];
    symlinkSync(dirname(target), join(folder, 'run'));
    symlinkSync(join(folder, 'run'), join(dir, 'run'));
    await using rig = await start({ allow: [ruleTo({ path: join(dir, 'run', basename(target)) }, [folder])] });
    expect(await rig.ask(DB)).toContain('502 ');
  });

  test('is not dialled through another name of its workspace', async () => {
    const { folder } = await planted();
    symlinkSync(folder, join(dir, 'alias'));
    await using rig = await start({ allow: [ruleTo({ path: join(dir, 'alias', 'app.sock') }, [folder])] });
    expect(await rig.ask(DB)).toContain('502 ');
  });

  test('ordinary links and `..` are followed as the system does; a loop is a failure', async () => {
    await secret();
    mkdirSync(join(dir, 'a'));
    symlinkSync('../secret.sock', join(dir, 'a', 'link.sock'));
    symlinkSync('loop', join(dir, 'loop'));
    await using rig = await start({
      allow: [ruleTo({ path: join(dir, 'a/../a/link.sock') }, [join(dir, 'workspace')])],
    });
    const client = await rig.client();
    client.send(DB);
    await client.until('service\n');
    client.socket.destroy();
    await using other = await start({ allow: [ruleTo({ path: join(dir, 'loop') }, [join(dir, 'workspace')])] });
    expect(await other.ask(DB)).toContain('502 ');
  });

  test('is not dialled through a link that leads into its workspace', async () => {
    const folder = workspace();
    await serve(join(folder, 'own.sock'));
    symlinkSync(join(folder, 'own.sock'), join(dir, 'link.sock'));
    await using rig = await start({ allow: [ruleTo({ path: join(dir, 'link.sock') }, [folder])] });
    expect(await rig.ask(DB)).toContain('502 ');
    expect(existsSync(join(dir, 'link.sock'))).toBe(true);
  });
});

test('a service that does not run is a failure that says so', async () => {
  await using rig = await start({ allow: [ruleTo({ path: join(dir, 'nothing.sock') })] });
  expect(await rig.ask(DB)).toContain('502 ');
  expect(rig.records().at(-1)).toMatchObject({ verdict: 'error', reason: 'upstream-failed' });
});
