import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { compilePolicy } from '../../../lib/gateway/policy.ts';
import { helloBytes } from '../../unit/gateway/hello-bytes.ts';
import { HTTP_POLICY, handshake, mirror, openTunnel, request, startIntercept } from './intercept-rig.ts';
import { CONNECT, clientOf, GET, POLICY, PUBLIC } from './rig.ts';

describe('a host with rules by method and path', () => {
  test('what they cover arrives, is recorded with method, path and rule, and the connection is used again', async () => {
    await using one = await startIntercept();
    const client = await one.inside();
    client.send(request('/v1/a?b=c'));
    expect(await client.until('GET /v1/a?b=c HTTP/1.1')).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    client.send(request('/v1/second'));
    await client.until('GET /v1/second HTTP/1.1');
    expect(one.received()).toBe(
      ['/v1/a?b=c', '/v1/second']
        .map((path) => `GET ${path} HTTP/1.1\r\nHost: api.ok.test\r\nConnection: keep-alive\r\n\r\n`)
        .join(''),
    );
    expect(one.rig.lookups).toEqual(['api.ok.test']);
    expect(one.rig.dials).toEqual([`${PUBLIC}:443`]);
    client.socket.end();
    await client.end();
    const records = one.rig.records();
    expect(records.map(({ verdict, path }) => [verdict, path])).toEqual([
      ['allow', '/v1/a?b=c'],
      ['closed', '/v1/a?b=c'],
      ['allow', '/v1/second'],
      ['closed', '/v1/second'],
    ]);
    expect(records[0]).toMatchObject({
      reason: 'rule',
      host: 'api.ok.test',
      port: 443,
      method: 'GET',
      address: PUBLIC,
      rule: { text: 'GET,POST api.ok.test /v1/**', file: '/p/sandbox.toml', line: 12 },
    });
    expect(records[1]?.bytesUp).toBeGreaterThan(20);
    expect(records[3]?.bytesDown).toBeGreaterThan(20);
  });

  test('what they do not cover is denied in words, looks nothing up, and the next request goes on', async () => {
    await using one = await startIntercept();
    const client = await one.inside();
    client.send(request('/v2/a'));
    expect(await client.until('sbx apply\n')).toMatch(
      /^HTTP\/1\.1 403 Forbidden\r\n[\s\S]*no rule by method and path covers GET \/v2\/a[\s\S]*\/p\/sandbox\.toml:12/,
    );
    client.send(request('/v1/a', '', 'api.ok.test', 'DELETE'));
    await client.until('covers DELETE /v1/a');
    expect(one.rig.lookups).toEqual([]);
    client.send(request('/v1/ok'));
    await client.until('GET /v1/ok HTTP/1.1');
    expect(one.received()).not.toContain('v2');
    expect(one.received()).not.toContain('DELETE');
    expect(one.rig.records().map(({ verdict, reason }) => [verdict, reason])).toEqual([
      ['deny', 'http-rule'],
      ['deny', 'http-rule'],
      ['allow', 'rule'],
      ['closed', 'rule'],
    ]);
  });

  test.each([
    '/v1/..;/x',
    '/v1/%2e%2e/x',
    '/v1/%2E./x',
    '/v1/../x',
    '/v1/a%2fb',
    '/v1//x',
    '/v1/%5cx',
    '/v1/\\x',
    '/v1/%252e%252e/x',
    '/v1/%00',
    '/v1/a;b',
    '/v1/%zz',
    '/v1/%c0%ae%c0%ae/x',
    '/v1/a%c0%afb',
    '/v1/%ef%bc%8e%ef%bc%8e/x',
    '/v1/..%20/x',
    '/v1/%25%32%65%25%32%65/x',
    '/v1/.',
    '/v1/a//?x',
  ])('34 %s is refused', async (path) => {
    await using one = await startIntercept();
    const client = await one.inside();
    client.send(request(path, 'Connection: close\r\n'));
    expect(await client.end()).toMatch(/^HTTP\/1\.1 400 /);
    expect(one.received()).toBe('');
    expect(one.rig.dials).toEqual([]);
    expect(one.rig.records()).toMatchObject([{ verdict: 'deny', reason: 'bad-request', path }]);
  });

  test.each([
    ['/v1?/../v2', '/v1'],
    ['/v2?/v1/a', '/v2'],
    ['/?/v1/a', '/'],
    ['/V1/a', '/V1/a'],
    ['/v1', '/v1'],
  ])('34 %s is matched by its bytes, and the query does not count', async (path, shown) => {
    await using one = await startIntercept();
    const client = await one.inside();
    client.send(request(path, 'Connection: close\r\n'));
    expect(await client.end()).toMatch(new RegExp(`^HTTP/1\\.1 403 [\\s\\S]*covers GET ${shown} `));
    expect(one.received()).toBe('');
    expect(one.rig.records()).toMatchObject([{ verdict: 'deny', reason: 'http-rule', path }]);
  });

  test.each(['/v1/a?b=/../..;//%2e%00', '/v1/%C3%A9', '/v1/a|b"<>', '/v1/a:80/@x'])(
    '34 %s arrives with exactly its bytes',
    async (path) => {
      await using one = await startIntercept();
      const client = await one.inside();
      client.send(request(path, 'Connection: close\r\n'));
      expect(await client.end()).toMatch(/^HTTP\/1\.1 200 /);
      expect(one.received()).toBe(`GET ${path} HTTP/1.1\r\nHost: api.ok.test\r\nConnection: keep-alive\r\n\r\n`);
    },
  );

  test.each([
    'X-HTTP-Method-Override: DELETE',
    'x-method-override: DELETE',
    'X_HTTP_Method: DELETE',
    'X-Original-URL: /v2/admin',
    'X-Rewrite-Url: /v2/admin',
  ])('34 %s, by which a server would take it for another request, is refused', async (field) => {
    await using one = await startIntercept();
    const client = await one.inside();
    client.send(request('/v1/a', `${field}\r\nConnection: close\r\n`));
    expect(await client.end()).toMatch(/^HTTP\/1\.1 400 [\s\S]*may stand for another method or path/);
    expect([one.received(), one.rig.dials, one.rig.lookups]).toEqual(['', [], []]);
    expect(one.rig.records()).toMatchObject([{ verdict: 'deny', reason: 'bad-request', path: '/v1/a' }]);
    // Where no rule speaks of methods and paths it says nothing that matters.
    const policy = { ...HTTP_POLICY, http: [{ host: 'api.ok.test', methods: [], paths: [] }] };
    await using open = await startIntercept({ policy });
    const free = await open.inside();
    free.send(request('/v1/a', `${field}\r\nConnection: close\r\n`));
    expect(await free.end()).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('switched off, what they do not cover would arrive', async () => {
    const { startRig, answering } = await import('./rig.ts');
    await using rig = await startRig({ policy: HTTP_POLICY, upstream: answering(), controls: { httpRules: false } });
    expect(await rig.ask(GET('http://api.ok.test/v2', 'Connection: close\r\n'))).toMatch(/^HTTP\/1\.1 200/);
  });

  test('plain HTTP keeps to them as well: in the absolute form, and inside a tunnel', async () => {
    const answers = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
    const { startRig, answering } = await import('./rig.ts');
    await using rig = await startRig({ policy: HTTP_POLICY, upstream: answering(answers) });
    const close = 'Connection: close\r\n';
    expect(await rig.ask(GET('http://api.ok.test/v2', close))).toMatch(/^HTTP\/1\.1 403/);
    expect(await rig.ask(GET('http://api.ok.test/v1/x', close))).toMatch(/^HTTP\/1\.1 200/);
    expect(await rig.ask(CONNECT('api.ok.test:80') + request('/v2/x', close))).toMatch(/403 Forbidden/);
    expect(await rig.ask(CONNECT('api.ok.test:80') + request('/v1/y', close))).toMatch(/\r\n\r\nok$/);
    expect(await rig.ask(CONNECT('api.ok.test:80') + request('/v1/y', close, 'evil.test'))).toMatch(/421 Misdirected/);
    expect(rig.received().match(/^GET .*/gm)).toEqual(['GET /v1/x HTTP/1.1', 'GET /v1/y HTTP/1.1']);
  });

  test.each([
    ['28 an SSH banner', 'SSH-2.0-OpenSSH_9.2p1\r\n'],
    ['28 plain HTTP to the port of HTTPS', request('/v1/a')],
    ['21 another server name', helloBytes({ sni: 'evil.test' })],
    ['23 no server name', helloBytes({})],
  ])('%s: closed, nothing leaves', async (_name, bytes) => {
    await using one = await startIntercept();
    const client = await one.rig.client();
    client.send(CONNECT('api.ok.test:443'));
    client.send(bytes);
    await client.end();
    expect(one.rig.dials).toEqual([]);
    expect(one.rig.records()).toMatchObject([{ verdict: 'deny', reason: 'server-name', host: 'api.ok.test' }]);
  });

  test('no HTTP/2 is spoken: the client is told so in the handshake', async () => {
    await using one = await startIntercept();
    const client = await one.inside();
    expect((client.socket as import('node:tls').TLSSocket).alpnProtocol).toBe('http/1.1');
  });

  test('a client that speaks nothing but HTTP/2 is ended in the handshake, and recorded', async () => {
    await using one = await startIntercept();
    const client = await openTunnel(one.rig, 'api.ok.test');
    const secure = connect({
      socket: client.socket,
      ca: one.authority.pem,
      servername: 'api.ok.test',
      ALPNProtocols: ['h2'],
    });
    await new Promise((resolve) => secure.once('error', resolve));
    client.socket.destroy();
    while (one.rig.records().length === 0) await sleep(5);
    expect(one.rig.records()).toMatchObject([{ verdict: 'error', reason: 'client-tls', host: 'api.ok.test' }]);
    expect(one.rig.dials).toEqual([]);
  });

  test('a client that does not trust the certificate: recorded, nothing dialled', async () => {
    await using one = await startIntercept();
    const client = await openTunnel(one.rig, 'api.ok.test');
    await expect(handshake(client.socket, { servername: 'api.ok.test' })).rejects.toThrow(/certificate/);
    client.socket.destroy();
    while (one.rig.records().length === 0) await sleep(5);
    expect(one.rig.records()).toMatchObject([{ verdict: 'error', reason: 'client-tls', host: 'api.ok.test' }]);
    expect(one.rig.dials).toEqual([]);
  });
});

describe('a request inside for another host', () => {
  const sends = {
    '22 another Host': request('/v1/a', '', 'other.wild.test'),
    '22 an absolute address': request('https://other.wild.test/v1/a', '', 'other.wild.test'),
    '22 an absolute address, the Host as it should be': request('https://other.wild.test/v1/a'),
    '22 the Host with another port': request('/v1/a', '', 'api.ok.test:8443'),
    '22 http inside https': request('http://api.ok.test/v1/a'),
    '22 an absolute address with another port': request('https://api.ok.test:8443/v1/a'),
    '22 another Host in HTTP/1.0': request('/v1/a', '', 'other.wild.test').replace('HTTP/1.1', 'HTTP/1.0'),
    '22 a host below': request('/v1/a', '', 'x.api.ok.test'),
    '22 the address of the host': request('/v1/a', '', PUBLIC),
  };
  test.each(Object.entries(sends))('%s: 421, not forwarded', async (_name, bytes) => {
    await using one = await startIntercept();
    const client = await one.inside();
    client.send(bytes);
    expect(await client.end()).toMatch(/^HTTP\/1\.1 421 /);
    expect(one.rig.dials).toEqual([]);
    expect(one.rig.records()).toMatchObject([
      { verdict: 'deny', reason: 'misdirected', host: 'api.ok.test', port: 443 },
    ]);
  });

  test('24 as the second one of a connection: 421', async () => {
    await using one = await startIntercept();
    const client = await one.inside();
    client.send(request('/v1/a') + request('/v1/b', '', 'other.wild.test') + request('/v1/c'));
    expect(await client.end()).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*HTTP\/1\.1 421 /);
    expect(one.received().match(/^GET/gm)).toHaveLength(1);
  });

  test('switched off, another Host would be answered', async () => {
    await using one = await startIntercept({ controls: { innerHost: false } });
    const client = await one.inside();
    client.send(sends['22 another Host']);
    expect(await client.until('GET /v1/a HTTP/1.1')).toMatch(/^HTTP\/1\.1 200/);
  });
});

describe('a malformed request inside', () => {
  const post = (fields: string, body = '') => request('/v1/a', fields, 'api.ok.test', 'POST') + body;
  test.each(
    Object.entries({
      '30 CL and TE': post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
      '30 two CL': post('Content-Length: 5\r\nContent-Length: 5\r\n', 'hello'),
      '30 CL +1': post('Content-Length: +1\r\n', 'h'),
      '30 a folded field': post('X-A: 1\r\n  2\r\n'),
      '30 a bare line feed': 'GET /v1/a HTTP/1.1\nHost: api.ok.test\n\n',
      '30 CL with a space before the colon': post('Content-Length : 1\r\n', 'h'),
      '31 two Host': request('/v1/a', 'Host: api.ok.test\r\n'),
      '31 no Host': 'GET /v1/a HTTP/1.1\r\n\r\n',
      '31 chunked in TE': request('/v1/a', 'TE: gzip, chunked\r\n'),
      '31 CONNECT': 'CONNECT evil.test:443 HTTP/1.1\r\nHost: api.ok.test\r\n\r\n',
      '32 an upgrade to h2c': request('/v1/a', 'Connection: Upgrade\r\nUpgrade: h2c\r\n'),
      '32 HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      '10 a user in an absolute address': request('https://u:p@api.ok.test/v1/a'),
      '10 a user in Host': request('/v1/a', '', 'u@api.ok.test'),
      '9 a path that is not ASCII': request('/v1/\xe9'),
      '30 TE with an underscore': post('Transfer_Encoding: chunked\r\n', '0\r\n\r\n'),
      '30 an empty line before': `\r\n${request('/v1/a')}`,
      '30 chunks in HTTP/1.0': post('Transfer-Encoding: chunked\r\n').replace('HTTP/1.1', 'HTTP/1.0'),
      '30 HTTP/0.9': 'GET /v1/a\r\n\r\n',
      'a star for a path': request('*', '', 'api.ok.test', 'OPTIONS'),
      'a query for a path': request('?/v1/a'),
      'a fragment': request('/v1/a#b'),
      'no path': request('v1/a'),
    }),
  )('%s: 400, closed', async (_name, bytes) => {
    await using one = await startIntercept();
    const client = await one.inside();
    client.send(bytes);
    expect(await client.end()).toMatch(/^HTTP\/1\.1 400 /);
    expect(one.rig.dials).toEqual([]);
    expect(one.rig.records()).toMatchObject([{ verdict: 'deny', reason: 'bad-request', host: 'api.ok.test' }]);
  });
});

describe('the certificate of the upstream', () => {
  test.each([
    ['of another host', { certified: 'other.test' }],
    ['of an authority that nobody trusts', { untrusted: true }],
  ])('%s: the request is not sent', async (_name, options) => {
    await using one = await startIntercept(options);
    const client = await one.inside();
    client.send(request('/v1/a', 'X-Secret: abc\r\nConnection: close\r\n'));
    expect(await client.end()).toMatch(/^HTTP\/1\.1 502 [\s\S]*was not reached/);
    expect(one.received()).toBe('');
    expect(one.rig.records().at(-1)).toMatchObject({ verdict: 'error', reason: 'upstream-failed' });
    await using off = await startIntercept({ ...options, controls: { upstreamCertificate: false } });
    const deceived = await off.inside();
    deceived.send(request('/v1/a', 'X-Secret: abc\r\n'));
    await deceived.until('GET /v1/a HTTP/1.1');
    expect(off.received()).toContain('X-Secret: abc');
  });
});

describe('19 a policy that becomes narrower', () => {
  test('denies the next request of an open connection', async () => {
    await using one = await startIntercept();
    const client = await one.inside();
    client.send(request('/v1/a'));
    await client.until('GET /v1/a HTTP/1.1');
    one.rig.door.setPolicy(
      compilePolicy({ ...POLICY, http: [{ host: 'api.ok.test', methods: [], paths: ['/v1/b'] }] }),
    );
    client.send(request('/v1/a'));
    await client.until('403 Forbidden');
    client.send(request('/v1/b'));
    await client.until('GET /v1/b HTTP/1.1');
    expect(one.received().match(/^GET \S+/gm)).toEqual(['GET /v1/a', 'GET /v1/b']);
  });

  test('ends the connection that was kept for the next request, also when nobody asks', async () => {
    const ended: string[] = [];
    const serve = (socket: import('node:net').Socket) => {
      mirror(socket);
      socket.on('close', () => void ended.push('upstream'));
    };
    await using one = await startIntercept({ serve });
    const client = await one.inside();
    client.send(request('/v1/a'));
    await client.until('GET /v1/a HTTP/1.1');
    expect(ended).toEqual([]);
    one.rig.door.setPolicy(compilePolicy({ ...HTTP_POLICY, allow: [] }));
    while (ended.length === 0) await sleep(5);
    client.send(request('/v1/b'));
    await client.until('403 Forbidden');
    one.rig.door.setPolicy(compilePolicy(HTTP_POLICY));
    client.send(request('/v1/c'));
    await client.until('GET /v1/c HTTP/1.1');
    expect(one.connections()).toBe(2);
  });

  test('cuts a request that is under way, and a tunnel that nobody reads', async () => {
    await using one = await startIntercept({ policy: POLICY, serve: () => {} });
    const unread = await openTunnel(one.rig, 'api.ok.test');
    const inner = clientOf(await handshake(unread.socket, { ca: one.upstreamCa, servername: 'api.ok.test' }));
    one.rig.door.setPolicy(compilePolicy(HTTP_POLICY));
    await inner.end();
    expect(one.rig.records().at(-1)).toMatchObject({ verdict: 'closed', reason: 'policy-changed' });
    const client = await one.inside();
    client.send(request('/v1/slow'));
    while (!one.received().includes('/v1/slow')) await sleep(5);
    one.rig.door.setPolicy(compilePolicy({ ...HTTP_POLICY, allow: [] }));
    expect(await client.end()).toBe('');
    expect(one.rig.records().at(-1)).toMatchObject({ verdict: 'closed', reason: 'policy-changed', path: '/v1/slow' });
  });
});
