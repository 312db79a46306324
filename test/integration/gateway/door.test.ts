import { describe, expect, test } from 'vitest';
import { ALL_CONTROLS, LIMITS } from '../../../lib/gateway/door.ts';
import { compilePolicy } from '../../../lib/gateway/policy.ts';
import { clientHello, connectTo, POLICY, type Rig, rig } from './door-rig.ts';

/** The numbers are those of the network cases. What a client sees, what is written down, what reaches resolver and upstream. */
function expectDenied(r: Rig, answer: string, code: 400 | 403): void {
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${code} `));
  expect(r.audit().map(({ verdict }) => verdict)).toEqual(['deny']);
  expect([r.resolved, r.dialled, r.upstream]).toEqual([[], [], []]);
}

describe('denied before anything is resolved', () => {
  const cases: [string, string][] = [
    ['6 a denied name in other dress', 'BAD.wild.test.:443'],
    ['7 a suffix without its dot', 'xwild.test:443'],
    ['7 the apex', 'wild.test:443'],
    ['7 a name that goes on', 'a.wild.test.evil.test:443'],
    ['7 two labels under one star', 'a.b.wild.test:443'],
    ['11 another port', 'api.ok.test:8443'],
    ['20 the host itself', 'localhost:443'],
    ['40 a data-bearing name', 'c2VjcmV0.evil.test:443'],
    ['a literal that no rule names', '93.184.216.34:443'],
    ['8 a loopback literal', '127.0.0.1:443'],
    ['14 an IPv6 literal', '[::1]:443'],
  ];
  test.each(cases)('%s', async (_name, authority) => {
    await using r = await rig();
    expectDenied(r, await r.send(connectTo(authority)), 403);
  });

  test('1 an empty allow list denies everything', async () => {
    await using r = await rig({ policy: { allow: [], deny: [] } });
    expectDenied(r, await r.send(connectTo('api.ok.test:443')), 403);
  });

  test('26 plain HTTP to another host; the answer says how to allow it', async () => {
    await using r = await rig();
    const answer = await r.send('GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n');
    expectDenied(r, answer, 403);
    expect(answer).toContain('"evil.test:80"');
  });
});

describe('refused as malformed', () => {
  const target: [string, string][] = [
    ['3 NUL', 'evil.test\0.wild.test:443'],
    ['4 percent', 'foo%2ewild.test:443'],
    ['5 two trailing dots', 'api.ok.test..:443'],
    ['8 127.1', '127.1:443'],
    ['8 octal', '0177.0.0.1:443'],
    ['8 hex', '0x7f.1:443'],
    ['8 one number', '2130706433:443'],
    ['9 ideographic dots', '127。0。0。1:443'],
    ['9 soft hyphen', 'api.ok\xad.test:443'],
    ['10 user part', 'u@api.ok.test:443'],
    ['10 fragment', 'api.ok.test#:443'],
    ['11 no port', 'api.ok.test'],
    ['11 port 0', 'api.ok.test:0'],
    ['11 leading zero', 'api.ok.test:0443'],
    ['11 plus', 'api.ok.test:+443'],
    ['11 too large', 'api.ok.test:99999'],
    ['11 two ports', 'api.ok.test:443:80'],
    ['12 a 64-byte label', `${'a'.repeat(64)}.wild.test:443`],
    ['12 a 254-byte name', `${'a.'.repeat(123)}wild.test:443`],
  ];
  test.each(target)('%s', async (_name, authority) => {
    await using r = await rig();
    expectDenied(r, await r.send(connectTo(authority)), 400);
  });

  const heads: [string, string][] = [
    [
      '30 CL and TE',
      'POST http://api.ok.test/ HTTP/1.1\r\nHost: api.ok.test\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n',
    ],
    [
      '30 two CL',
      'POST http://api.ok.test/ HTTP/1.1\r\nHost: api.ok.test\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n',
    ],
    ['30 CL with a sign', 'POST http://api.ok.test/ HTTP/1.1\r\nHost: api.ok.test\r\nContent-Length: +3\r\n\r\n'],
    ['30 folded line', 'GET http://api.ok.test/ HTTP/1.1\r\nHost: api.ok.test\r\nX: a\r\n b\r\n\r\n'],
    ['30 bare line feed', 'GET http://api.ok.test/ HTTP/1.1\nHost: api.ok.test\n\n'],
    ['30 space before the colon', 'GET http://api.ok.test/ HTTP/1.1\r\nHost : api.ok.test\r\n\r\n'],
    ['31 two Host', 'GET http://api.ok.test/ HTTP/1.1\r\nHost: api.ok.test\r\nHost: evil.test\r\n\r\n'],
    [
      '31 gzip, chunked',
      'POST http://api.ok.test/ HTTP/1.1\r\nHost: api.ok.test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n',
    ],
    ['31 CONNECT with a body', 'CONNECT api.ok.test:443 HTTP/1.1\r\nHost: api.ok.test\r\nContent-Length: 1\r\n\r\nx'],
    ['32 h2c', 'GET http://api.ok.test/ HTTP/1.1\r\nHost: api.ok.test\r\nUpgrade: h2c\r\n\r\n'],
    ['32 HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['22 Host differs from the address', 'GET http://api.ok.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n'],
    ['a head over 64 KiB', `GET http://api.ok.test/ HTTP/1.1\r\nHost: api.ok.test\r\nX: ${'a'.repeat(70_000)}\r\n\r\n`],
  ];
  test.each(heads)('%s', async (_name, head) => {
    await using r = await rig();
    expectDenied(r, await r.send(head), 400);
  });
});

describe('names and where they lead', () => {
  const bad = [
    '127.0.0.1',
    '10.1.2.3',
    '100.64.0.1',
    '169.254.169.254',
    '0.0.0.0',
    '192.168.1.1',
    '172.16.0.1',
    '::1',
    '::127.0.0.1',
    '::ffff:7f00:1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    'fe80::1',
    'fc00::1',
    '168.63.129.16',
    '100.100.100.200',
    '192.0.0.192',
    '203.0.113.9',
    '224.0.0.1',
    '198.18.66.7',
  ];
  test.each(bad)('13–18 an allowed name that resolves to %s is not dialled', async (address) => {
    await using r = await rig({ addresses: { 'api.ok.test': [[address]] } });
    const answer = await r.send(connectTo('api.ok.test:443'));
    expect(answer).toMatch(/^HTTP\/1.1 403 /);
    expect(r.audit()[0]?.verdict).toBe('deny');
    expect([r.resolved, r.dialled]).toEqual([['api.ok.test'], []]);
  });

  test('one bad address among good ones is enough', async () => {
    await using r = await rig({ addresses: { 'api.ok.test': [['93.184.216.34', '10.0.0.1']] } });
    await r.send(connectTo('api.ok.test:443'));
    expect(r.dialled).toEqual([]);
  });

  test('17 the name is resolved once, and what was checked is what is dialled', async () => {
    await using r = await rig({ addresses: { 'plain.ok.test': [['93.184.216.34'], ['127.0.0.1']] } });
    await r.send([connectTo('plain.ok.test:9000'), 'hello']);
    expect([r.resolved, r.dialled]).toEqual([['plain.ok.test'], ['93.184.216.34:9000']]);
  });

  test('a rule of the host’s own configuration may lead to a private address', async () => {
    await using r = await rig({
      policy: { allow: [{ pattern: 'mirror.test:9000', trusted: true }], deny: [] },
      addresses: { 'mirror.test': [['10.0.0.1']] },
    });
    await r.send([connectTo('mirror.test:9000'), 'hello']);
    expect(r.dialled).toEqual(['10.0.0.1:9000']);
  });
});

describe('what is let through', () => {
  test('5 case and one trailing dot are one name; TLS to that name goes on, its bytes unchanged', async () => {
    await using r = await rig();
    const hello = clientHello('api.ok.test');
    const answer = await r.send([connectTo('API.OK.TEST.:443'), hello]);
    expect(answer).toMatch(/^HTTP\/1.1 200 /);
    expect(r.upstream).toEqual([hello.toString('latin1')]);
    expect(r.audit()[0]).toMatchObject({ verdict: 'allow', host: 'api.ok.test', address: expect.any(String) });
  });

  test('29, 33 plain HTTP: origin form, hop-by-hop and nominated headers gone, a redirect is returned and not followed', async () => {
    await using r = await rig();
    const answer = await r.send(
      'GET http://api.ok.test/x?y HTTP/1.1\r\nHost: api.ok.test\r\nConnection: x-secret\r\nX-Secret: 1\r\nX-Kept: 2\r\nProxy-Authorization: z\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1.1 302 /);
    expect(r.upstream).toEqual(['GET /x?y HTTP/1.1\r\nHost: api.ok.test\r\nX-Kept: 2\r\nConnection: close\r\n\r\n']);
    expect(r.resolved).toEqual(['api.ok.test']);
  });

  test('24 a second request on the connection never reaches the upstream', async () => {
    await using r = await rig();
    await r.send(
      'POST http://api.ok.test/ HTTP/1.1\r\nHost: api.ok.test\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: evil.test\r\n\r\n',
    );
    expect(r.upstream.join('')).not.toContain('evil.test');
    expect(r.upstream.join('')).toMatch(/abc$/);
  });
});

describe('tunnels', () => {
  const hellos: [string, (string | Buffer)[]][] = [
    ['21 another server name', [clientHello('evil.test')]],
    ['23 no server name', [clientHello(undefined)]],
    ['28 an SSH banner', ['SSH-2.0-x\r\n']],
    [
      '23 a hello over 64 KiB',
      [Buffer.concat([Buffer.from([22, 3, 1, 0xff, 0xff, 1, 2, 0, 0]), Buffer.alloc(70_000, 1)])],
    ],
  ];
  test.each(hellos)('%s is closed and nothing is dialled', async (_name, parts) => {
    await using r = await rig();
    await r.send([connectTo('api.ok.test:443'), ...parts]);
    expect(r.dialled).toEqual([]);
    expect(r.audit().map(({ verdict, reason }) => [verdict, reason])).toEqual([['deny', 'server-name']]);
  });

  test('23 a hello in one-byte segments is read as one', async () => {
    await using r = await rig();
    const hello = clientHello('api.ok.test');
    await r.send([connectTo('api.ok.test:443'), ...[...hello].map((byte) => Buffer.from([byte]))]);
    expect(r.upstream).toEqual([hello.toString('latin1')]);
  });

  test('19 a tightened policy closes an open tunnel and denies the next', async () => {
    await using r = await rig({ reply: '' });
    const socket = r.open();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(connectTo('plain.ok.test:9000'));
    await new Promise((resolve) => socket.once('data', resolve));
    r.door.setPolicy(compilePolicy({ ...POLICY, deny: [{ pattern: '**.ok.test:1-65535' }] }));
    await closed;
    expect(await r.send(connectTo('plain.ok.test:9000'))).toMatch(/^HTTP\/1.1 403 /);
  });

  test('36 too many connections, and a head that never ends', async () => {
    await using r = await rig({ limits: { ...LIMITS, connections: 2, headMs: 300 } });
    const [one, two] = [r.open(), r.open()];
    const closed = Promise.all([one, two].map((socket) => new Promise((resolve) => socket.once('close', resolve))));
    one.write('GET http://api');
    two.write('G');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await r.send(connectTo('api.ok.test:443'))).toMatch(/^HTTP\/1.1 503 /);
    await closed;
    expect(await r.send(connectTo('evil.test:443'))).toMatch(/^HTTP\/1.1 403 /);
  });
});

describe('the audit log', () => {
  test('37 hostile text stays one capped line', async () => {
    await using r = await rig();
    await r.send(`GET http://evil.test/${'%1b[31m'.repeat(5000)} HTTP/1.1\r\nHost: evil.test\r\n\r\n`);
    await r.send('\x1b[31mGARBAGE "quoted"\\ \xff\r\n\r\n');
    expect(r.audit()).toHaveLength(2);
    for (const record of r.audit()) expect(JSON.stringify(record).length).toBeLessThan(4096);
  });

  test('38 a log that cannot be written shuts the door', async () => {
    await using r = await rig({ auditPath: '/dev/full' });
    await r.send(connectTo('evil.test:443'));
    expect(await r.send(connectTo('plain.ok.test:9000'))).toMatch(/^HTTP\/1.1 503 /);
    expect(r.dialled).toEqual([]);
  });
});

describe('each control, switched off, lets its case through: the tests above would fail', () => {
  test('address check', async () => {
    await using r = await rig({
      addresses: { 'plain.ok.test': [['127.0.0.1']] },
      controls: { ...ALL_CONTROLS, addressCheck: false },
    });
    await r.send([connectTo('plain.ok.test:9000'), 'x']);
    expect(r.dialled).toEqual(['127.0.0.1:9000']);
  });

  test('server name', async () => {
    await using r = await rig({ controls: { ...ALL_CONTROLS, serverName: false } });
    await r.send([connectTo('api.ok.test:443'), clientHello('evil.test')]);
    expect(r.dialled).toHaveLength(1);
  });

  test('audit', async () => {
    await using r = await rig({ auditPath: '/dev/full', controls: { ...ALL_CONTROLS, audit: false } });
    await r.send([connectTo('plain.ok.test:9000'), 'x']);
    expect(r.dialled).toHaveLength(1);
  });
});

describe('noise', () => {
  test('random bytes never crash the door and never get out', async () => {
    await using r = await rig();
    let seed = 42;
    const random = () => {
      seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff;
      return seed;
    };
    const words = [
      'CONNECT ',
      'GET ',
      'http://',
      'evil.test',
      ':443',
      ' HTTP/1.1',
      '\r\n',
      '\r\n\r\n',
      'Host: ',
      '\0',
      '%',
      '[',
      ']',
    ];
    for (let round = 0; round < 300; round += 1) {
      const parts = Array.from({ length: random() % 12 }, () =>
        random() % 3 === 0 ? String.fromCharCode(random() % 256) : (words[random() % words.length] ?? ''),
      );
      await r.send(parts.join(''), 5);
    }
    expect([r.resolved, r.dialled]).toEqual([[], []]);
    expect(await r.send(connectTo('evil.test:443'))).toMatch(/^HTTP\/1.1 403 /);
  });
});
