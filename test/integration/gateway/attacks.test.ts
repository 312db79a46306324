import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import type { Audit } from '../../../lib/gateway/audit.ts';
import { ALL_CONTROLS, type Controls, LIMITS } from '../../../lib/gateway/door.ts';
import { createGateway } from '../../../lib/gateway/gateway.ts';
import { compilePolicy } from '../../../lib/gateway/policy.ts';
import { clientHello, connectTo, POLICY, type Rig, type RigOptions, rig } from './door-rig.ts';

const PLAIN = connectTo('plain.ok.test:9000');
const GET = 'GET http://api.ok.test/ HTTP/1.1\r\nHost: api.ok.test\r\n\r\n';
const post = (fields: string, body: string) =>
  `POST http://api.ok.test/ HTTP/1.1\r\nHost: api.ok.test\r\n${fields}\r\n\r\n${body}`;
const verdicts = (r: Rig) => r.audit().map(({ verdict, reason }) => `${verdict} ${reason}`);
const closing = (socket: Socket) => new Promise<void>((resolve) => socket.once('close', () => resolve()));
const firstData = (socket: Socket) =>
  new Promise<string>((resolve) => socket.once('data', (data) => resolve(data.toString('latin1'))));

function gate(): { wait: Promise<void>; open: () => void } {
  let open = () => {};
  const wait = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { wait, open };
}

describe('2 policies that cannot be read', () => {
  test('a malformed one opens no door; a malformed update leaves the last one in force', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'sbx-gateway-'));
    const calls: string[] = [];
    await using gateway = createGateway({
      resolve: async (host) => {
        calls.push(host);
        throw new Error('no such name');
      },
      dial: async () => {
        throw new Error('dialled');
      },
      ownAddresses: () => [],
    });
    const places = { socketPath: join(dir, 's'), auditPath: join(dir, 'audit') };
    const bad = { allow: [{ pattern: '**' }], deny: [] };
    await expect(gateway.open('a', { ...places, policy: bad })).rejects.toThrow(/pattern/);
    expect([gateway.list(), existsSync(places.socketPath)]).toEqual([[], false]);
    await gateway.open('a', { ...places, policy: { allow: [{ pattern: 'api.ok.test' }], deny: [] } });
    const before = gateway.hashOf('a');
    expect(() => gateway.update('a', bad)).toThrow(/pattern/);
    expect(() =>
      gateway.update('a', { ...bad, allow: [], http: [{ host: 'x.test', methods: [], paths: [] }] }),
    ).toThrow();
    expect(gateway.hashOf('a')).toBe(before);
    const socket = connect(places.socketPath);
    socket.write(connectTo('other.test:443'));
    expect(await firstData(socket)).toMatch(/^HTTP\/1.1 403 /);
    socket.destroy();
    expect(calls).toEqual([]);
    rmSync(dir, { recursive: true, force: true });
  });
});

describe('addresses', () => {
  test.each([
    ['18 a public address that a range denies', '93.184.216.34', 'deny-rule'],
    ['18 … in its mapped form', '::ffff:93.184.216.34', 'deny-rule'],
    ['16, 20 the host itself', '203.0.113.9', 'private-address'],
    ['20 the daemon on loopback', '127.0.0.1', 'private-address'],
  ])('%s', async (_name, address, reason) => {
    await using r = await rig({
      addresses: { 'plain.ok.test': [[address]] },
      policy: { ...POLICY, deny: [{ pattern: '93.184.216.0/24:1-65535' }] },
    });
    expect(await r.send([PLAIN, 'x'])).toMatch(/^HTTP\/1.1 403 /);
    expect(verdicts(r)).toEqual([`deny ${reason}`]);
    expect([r.resolved, r.dialled, r.upstream]).toEqual([['plain.ok.test'], [], []]);
  });

  test.each(['127.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '10.0.2.2', '169.254.169.254', '[fec0::2]'])(
    '20 %s by its literal, also under a rule that allows every name',
    async (host) => {
      const any = ['**.test:1-65535', '**.com:1-65535'].map((pattern) => ({ pattern }));
      await using r = await rig({ policy: { allow: any, deny: [] } });
      expect(await r.send([connectTo(`${host}:443`), clientHello('api.ok.test')])).toMatch(/^HTTP\/1.1 403 /);
      expect(verdicts(r)).toEqual(['deny default-deny']);
      expect([r.resolved, r.dialled, r.upstream]).toEqual([[], [], []]);
    },
  );

  test('17 the second lookup of a rebinding name belongs to the second request and is checked again', async () => {
    await using r = await rig({ addresses: { 'plain.ok.test': [['93.184.216.34'], ['127.0.0.1']] } });
    expect(await r.send([PLAIN, 'x'])).toMatch(/^HTTP\/1.1 200 /);
    expect(await r.send([PLAIN, 'x'])).toMatch(/^HTTP\/1.1 403 /);
    expect(r.resolved).toHaveLength(2);
    expect(r.dialled).toEqual(['93.184.216.34:9000']);
  });

  test('a name without an address, and a resolver that fails', async () => {
    await using r = await rig({ addresses: { 'plain.ok.test': [[]] } });
    expect(await r.send(PLAIN)).toMatch(/^HTTP\/1.1 502 /);
    expect(verdicts(r)).toEqual(['error upstream-failed']);
    expect(r.dialled).toEqual([]);
  });
});

describe('19 a policy that becomes narrower', () => {
  const narrow = compilePolicy({ ...POLICY, deny: [{ pattern: '**.ok.test:1-65535' }] });
  const range = compilePolicy({ ...POLICY, deny: [{ pattern: '93.184.0.0/16:1-65535' }] });

  test('a new range closes the tunnels whose address it covers', async () => {
    await using r = await rig({ reply: '' });
    const socket = r.open();
    socket.write(PLAIN);
    await firstData(socket);
    const closed = closing(socket);
    r.door.setPolicy(range);
    await closed;
    await vi.waitFor(() => expect(verdicts(r)).toEqual(['allow rule', 'closed rule']));
    expect(r.held()).toBe(0);
  });

  test('a policy that still allows a tunnel leaves it open', async () => {
    await using r = await rig({ reply: '' });
    const socket = r.open();
    socket.write(PLAIN);
    await firstData(socket);
    r.door.setPolicy(compilePolicy({ allow: [{ pattern: '*.ok.test:9000' }], deny: [] }));
    socket.write('still here');
    await vi.waitFor(() => expect(r.upstream).toEqual(['still here']));
    socket.destroy();
  });

  test.each([narrow, range])('a forwarded request under way is closed', async (policy) => {
    await using r = await rig({ reply: '' });
    const socket = r.open();
    socket.write(post('Content-Length: 100', 'begun'));
    await vi.waitFor(() => expect(r.upstream.join('')).toContain('begun'));
    const closed = closing(socket);
    r.door.setPolicy(policy);
    await closed;
    await vi.waitFor(() => expect(r.held()).toBe(0));
  });

  test.each([
    ['tunnel', PLAIN, narrow],
    ['tunnel', PLAIN, range],
    ['request', GET, narrow],
    ['request', GET, range],
  ])('while a %s is being dialled: denied, no byte goes out', async (_name, bytes, policy) => {
    const { wait, open } = gate();
    await using r = await rig({ dialGate: wait });
    const answer = r.send(bytes);
    await vi.waitFor(() => expect(r.dialled).toHaveLength(1));
    r.door.setPolicy(policy);
    open();
    expect(await answer).toMatch(/^HTTP\/1.1 403 /);
    expect(r.upstream.join('')).toBe('');
    expect(verdicts(r)).toEqual(['deny deny-rule']);
  });

  test.each([
    ['tunnel', PLAIN],
    ['request', GET],
  ])('while the name of a %s is being resolved', async (_name, bytes) => {
    const { wait, open } = gate();
    await using r = await rig({ resolveGate: wait });
    const answer = r.send(bytes);
    await vi.waitFor(() => expect(r.resolved).toHaveLength(1));
    r.door.setPolicy(narrow);
    open();
    expect(await answer).toMatch(/^HTTP\/1.1 403 /);
    expect(r.upstream.join('')).toBe('');
  });

  test('while the ClientHello is awaited', async () => {
    await using r = await rig();
    const socket = r.open();
    socket.write(connectTo('api.ok.test:443'));
    await firstData(socket);
    r.door.setPolicy(narrow);
    const closed = closing(socket);
    socket.write(clientHello('api.ok.test'));
    await closed;
    expect(r.upstream.join('')).toBe('');
    expect(r.audit().map(({ verdict }) => verdict)).toEqual(['deny']);
  });
});

describe('21, 23 tunnels on 443', () => {
  const named: [string, Buffer][] = [
    ['21 a name below the allowed one', clientHello('x.api.ok.test')],
    ['21 a name that only begins like it', clientHello('api.ok.test\0.evil.test')],
    ['21 an address', clientHello('[::1]')],
    ['21 an empty name', clientHello('')],
    ['23 records without end', Buffer.concat(Array.from({ length: 12_000 }, () => Buffer.from([22, 3, 1, 0, 1, 1])))],
    ['28 another TLS record', Buffer.from([21, 3, 1, 0, 2, 2, 40])],
    ['28 plain HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: api.ok.test\r\n\r\n')],
  ];
  test.each(named)('%s', async (_name, bytes) => {
    await using r = await rig();
    const answer = await r.send([connectTo('api.ok.test:443'), bytes]);
    expect(answer.split('\r\n\r\n')[1]).toBe('');
    expect(verdicts(r)).toEqual(['deny server-name']);
    expect([r.resolved, r.dialled, r.upstream]).toEqual([['api.ok.test'], [], []]);
  });

  test('23 silence after CONNECT ends with the deadline', async () => {
    await using r = await rig({ limits: { ...LIMITS, headMs: 200 } });
    const socket = r.open();
    socket.resume();
    const closed = closing(socket);
    socket.write(connectTo('api.ok.test:443'));
    await closed;
    expect(verdicts(r)).toEqual(['deny server-name']);
    expect(r.dialled).toEqual([]);
  });

  test('27 a hello that came together with the head is read, and sent on once', async () => {
    await using r = await rig();
    const hello = clientHello('a.wild.test');
    await r.send(Buffer.concat([Buffer.from(connectTo('a.wild.test:443')), hello, Buffer.from('more')]));
    await vi.waitFor(() => expect(r.upstream).toEqual([`${hello.toString('latin1')}more`]));
  });
});

describe('27 bytes before the verdict', () => {
  test('none of a megabyte goes anywhere when the verdict is no', async () => {
    await using r = await rig();
    expect(await r.send([connectTo('evil.test:443'), Buffer.alloc(1 << 20, 'x')])).toMatch(/^HTTP\/1.1 403 /);
    expect(verdicts(r)).toEqual(['deny default-deny']);
    expect([r.resolved, r.dialled, r.upstream]).toEqual([[], [], []]);
  });

  test('they wait in the client while a dial takes long, and all arrive in order', async () => {
    const { wait, open } = gate();
    await using r = await rig({ dialGate: wait, reply: '' });
    const socket = r.open();
    const body = Buffer.alloc(8 << 20, 'abcdefgh');
    socket.write(Buffer.concat([Buffer.from(PLAIN), body]));
    await sleep(300);
    expect(socket.writableLength).toBeGreaterThan(0);
    expect(r.upstream.join('')).toBe('');
    open();
    await vi.waitFor(() => expect(r.upstream.join('').length).toBe(body.length), { timeout: 10_000 });
    expect(r.upstream[0] === body.toString()).toBe(true);
    socket.destroy();
  });
});

describe('30–33 one request, one body', () => {
  test('33 a nominated header goes, its framing may not be nominated', async () => {
    await using r = await rig();
    const smuggled = 'GET /admin HTTP/1.1\r\nHost: evil.test\r\n\r\n';
    for (const fields of [
      `Connection: content-length\r\nContent-Length: ${smuggled.length}`,
      'Connection: x, Transfer-Encoding\r\nTransfer-Encoding: chunked',
    ])
      expect(await r.send(post(fields, smuggled))).toMatch(/^HTTP\/1.1 400 /);
    expect([r.resolved, r.dialled, r.upstream]).toEqual([[], [], []]);
    expect(verdicts(r)).toEqual(['deny bad-request', 'deny bad-request']);
    await r.send(
      'GET http://api.ok.test/ HTTP/1.1\r\nHost: api.ok.test\r\nConnection: authorization, x-api-key\r\nAuthorization: a\r\nX-API-Key: b\r\nX-Raw: \xff\r\n\r\n',
    );
    expect(r.upstream).toEqual(['GET / HTTP/1.1\r\nHost: api.ok.test\r\nX-Raw: \xff\r\nConnection: close\r\n\r\n']);
  });

  test.each([
    ['Content-Length: 3', 'abc'],
    ['Transfer-Encoding: chunked', '3\r\nabc\r\n0\r\n\r\n'],
    ['X: y', ''],
  ])('24, 30 with %s nothing follows the body, however late it comes', async (fields, body) => {
    await using r = await rig({ reply: '' });
    const socket = r.open();
    socket.write(post(fields, body));
    await vi.waitFor(() => expect(r.upstream.join('')).toContain(`\r\n\r\n${body}`));
    socket.write('GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n');
    await sleep(100);
    expect(r.upstream).toHaveLength(1);
    expect(r.upstream[0]?.endsWith(`\r\n\r\n${body}`)).toBe(true);
    socket.destroy();
  });

  test('30 a malformed chunk closes both sides', async () => {
    await using r = await rig({ reply: '' });
    const socket = r.open();
    const closed = closing(socket);
    socket.write(post('Transfer-Encoding: chunked', '3\nabc'));
    await closed;
    await vi.waitFor(() => expect(r.held()).toBe(0));
  });
});

describe('36 exhaustion', () => {
  test('denied clients that still send, or never close, do not keep their places', async () => {
    await using r = await rig({ limits: { ...LIMITS, connections: 4 } });
    const left: Socket[] = [];
    for (let round = 0; round < 4; round += 1) {
      const socket = r.open();
      left.push(socket);
      socket.write(`POST http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\nContent-Length: 99999\r\n\r\n`);
      await firstData(socket);
      socket.write('still sending');
    }
    await vi.waitFor(async () => expect(await r.send(connectTo('evil.test:443'))).toMatch(/^HTTP\/1.1 403 /), {
      timeout: 8_000,
      interval: 200,
    });
    for (const socket of left) socket.destroy();
  });

  test('clients over the limit are answered and closed at once, though they would stay', async () => {
    await using r = await rig({ limits: { ...LIMITS, connections: 1 } });
    const first = r.open();
    first.write('G');
    await sleep(50);
    const stay = r.open();
    stay.allowHalfOpen = true;
    const closed = closing(stay);
    expect(await firstData(stay)).toMatch(/^HTTP\/1.1 503 /);
    stay.resume();
    stay.end();
    await closed;
    first.destroy();
    await vi.waitFor(async () => expect(await r.send(connectTo('evil.test:443'))).toMatch(/^HTTP\/1.1 403 /));
  });

  test('a client that answers the upstream’s end gives its place back', async () => {
    await using r = await rig({ limits: { ...LIMITS, connections: 2 }, reply: 'bye' });
    for (let round = 0; round < 6; round += 1) {
      const socket = r.open();
      socket.write(PLAIN);
      await firstData(socket);
      const ended = new Promise<void>((resolve) => socket.once('end', () => resolve()));
      socket.allowHalfOpen = true;
      socket.write('x');
      await ended;
      socket.end('my own last words');
      await closing(socket);
      await sleep(20);
    }
    expect(await r.send(connectTo('evil.test:443'))).toMatch(/^HTTP\/1.1 403 /);
  });

  test('a slow reader gets everything though the upstream has gone', async () => {
    const reply = 'x'.repeat(300_000);
    await using r = await rig({ reply });
    const socket = r.open();
    socket.pause();
    socket.write(PLAIN);
    socket.write('x');
    await sleep(2_500);
    let got = 0;
    socket.on('data', (chunk) => {
      got += chunk.length;
    });
    socket.resume();
    await closing(socket);
    expect(got).toBeGreaterThanOrEqual(reply.length);
  });

  test.each([PLAIN, GET])('a client that leaves during the dial leaves no connection behind', async (bytes) => {
    const { wait, open } = gate();
    await using r = await rig({ dialGate: wait, reply: '' });
    const socket = r.open();
    socket.write(bytes);
    await vi.waitFor(() => expect(r.dialled).toHaveLength(1));
    await r.door[Symbol.asyncDispose]();
    socket.destroy();
    open();
    await sleep(100);
    await vi.waitFor(() => expect(r.held()).toBe(0));
    expect(r.upstream.join('')).toBe('');
  });

  test('one door that is full leaves another door alone', async () => {
    await using full = await rig({ limits: { ...LIMITS, connections: 3 } });
    await using other = await rig();
    const idle = [full.open(), full.open(), full.open()];
    for (const socket of idle) socket.write('G');
    await sleep(50);
    expect(await full.send(PLAIN)).toMatch(/^HTTP\/1.1 503 /);
    expect(await other.send([PLAIN, 'x'])).toMatch(/^HTTP\/1.1 200 /);
    for (const socket of idle) socket.destroy();
  });
});

describe('37, 38 the audit log', () => {
  test('37 a megabyte, escapes and line ends are one short record', async () => {
    await using r = await rig();
    for (const text of ['\x1b[2J\r\n{"verdict":"allow"}\r\n\r\n', `${'\xff'.repeat(1 << 20)}`, '\x9b31m\r\n\r\n'])
      expect(await r.send(text)).toMatch(/^HTTP\/1.1 400 /);
    const records = r.audit();
    expect(records.map(({ verdict }) => verdict)).toEqual(['deny', 'deny', 'deny']);
    for (const record of records) {
      expect(JSON.stringify(record).length).toBeLessThan(4096);
      expect(record.host).toMatch(/^[\x20-\x7e]*$/);
    }
    expect([r.resolved, r.dialled, r.upstream]).toEqual([[], [], []]);
  });

  test.each([
    ['/dev/full', PLAIN],
    ['/dev/full', GET],
    ['/proc/no-such-folder/audit', PLAIN],
    ['/', GET],
  ])('38 with a log at %s the very first request is denied: nothing resolved, nothing dialled', async (path, bytes) => {
    await using r = await rig({ auditPath: path });
    for (let round = 0; round < 2; round += 1) expect(await r.send(bytes)).toMatch(/^HTTP\/1.1 503 /);
    expect([r.resolved, r.dialled, r.upstream]).toEqual([[], [], []]);
  });

  test.each([PLAIN, GET])('38 a log that fails just then: a clear answer, no byte goes out', async (bytes) => {
    const log: Audit = { ready: () => true, write: () => false, close: () => {} };
    await using r = await rig({ log });
    expect(await r.send([bytes, 'x'])).toMatch(/^HTTP\/1.1 503 /);
    expect(r.upstream.join('')).toBe('');
  });

  test('a door that closes writes down the tunnels it closed', async () => {
    await using r = await rig({ reply: '' });
    const socket = r.open();
    socket.write(PLAIN);
    await firstData(socket);
    await r.door[Symbol.asyncDispose]();
    expect(verdicts(r)).toEqual(['allow rule', 'closed rule']);
  });
});

test('40 a denied data-bearing name: no lookup, one record', async () => {
  await using r = await rig();
  const name = `${'a1'.repeat(30)}.${'b2'.repeat(30)}.evil.test`;
  expect(await r.send(connectTo(`${name}:443`))).toMatch(/^HTTP\/1.1 403 /);
  expect(await r.send(`GET http://${name}/ HTTP/1.1\r\nHost: ${name}\r\n\r\n`)).toMatch(/^HTTP\/1.1 403 /);
  expect(verdicts(r)).toEqual(['deny default-deny', 'deny default-deny']);
  expect([r.resolved, r.dialled, r.upstream]).toEqual([[], [], []]);
});

describe('every control has a case that fails open without it', () => {
  const cases: Record<keyof Controls, { options: RigOptions; parts: (string | Buffer)[] }> = {
    addressCheck: { options: { addresses: { 'plain.ok.test': [['10.0.0.1']] } }, parts: [PLAIN, 'out'] },
    serverName: { options: {}, parts: [connectTo('api.ok.test:443'), clientHello('evil.test')] },
    audit: { options: { auditPath: '/dev/full' }, parts: [PLAIN, 'out'] },
  };
  const hits = async (options: RigOptions, parts: (string | Buffer)[]) => {
    await using r = await rig(options);
    await r.send(parts);
    return [r.dialled.length, r.upstream.join('') !== ''];
  };

  test.each(Object.keys(ALL_CONTROLS) as (keyof Controls)[])('%s', async (control) => {
    const { options, parts } = cases[control];
    expect(await hits(options, parts)).toEqual([0, false]);
    expect(await hits({ ...options, controls: { ...ALL_CONTROLS, [control]: false } }, parts)).toEqual([1, true]);
  });
});
