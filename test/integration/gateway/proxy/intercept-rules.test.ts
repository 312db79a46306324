import { describe, expect, test } from 'vitest';
import type { Inspector } from '../../../../lib/gateway/http/inspector.ts';
import { answering, CONNECT, GET, PUBLIC, startRig } from '../rig.ts';
import { HTTP_POLICY, request, startIntercept } from './intercept-rig.ts';

/** Intercepts, and changes nothing. */
const seesAll: Inspector = {
  wants: () => true,
  request: async ({ headers }) => ({ headers }),
  response: ({ headers }) => ({ headers }),
};

describe('a host with rules by method and path', () => {
  test('a covered request arrives, is recorded with method, path and rule, and the connection is reused', async () => {
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

  test('a request outside the rules is denied with an explanation and without a lookup, and the next request is served', async () => {
    await using one = await startIntercept();
    const client = await one.inside();
    client.send(request('/v2/a'));
    expect(await client.until('sbx apply\n')).toMatch(
      /^HTTP\/1\.1 403 Forbidden by sbx\r\n[\s\S]*no HTTP rule covers GET \/v2\/a[\s\S]*\/p\/sandbox\.toml:12/,
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
  ])('34 the path %s is rejected', async (path) => {
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
  ])('34 the path %s is matched byte by byte, without its query', async (path, shown) => {
    await using one = await startIntercept();
    const client = await one.inside();
    client.send(request(path, 'Connection: close\r\n'));
    expect(await client.end()).toMatch(new RegExp(`^HTTP/1\\.1 403 [\\s\\S]*covers GET ${shown} `));
    expect(one.received()).toBe('');
    expect(one.rig.records()).toMatchObject([{ verdict: 'deny', reason: 'http-rule', path }]);
  });

  test.each(['/v1/a?b=/../..;//%2e%00', '/v1/%C3%A9', '/v1/a|b"<>', '/v1/a:80/@x'])(
    '34 the path %s arrives unchanged',
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
    'X-Original-Method: DELETE',
    'X_Forwarded.Method: DELETE',
    'X-Original-Path: /v2/admin',
    'X-Forwarded-Uri: /v2/admin',
    'X-HTTP-Method: DELETE',
  ])('34 a request with %s, which a server could read as another request, is rejected', async (field) => {
    await using one = await startIntercept();
    const client = await one.inside();
    client.send(request('/v1/a', `${field}\r\nConnection: close\r\n`));
    expect(await client.end()).toMatch(/^HTTP\/1\.1 400 [\s\S]*may override the method or path/);
    expect([one.received(), one.rig.dials, one.rig.lookups]).toEqual(['', [], []]);
    expect(one.rig.records()).toMatchObject([{ verdict: 'deny', reason: 'bad-request', path: '/v1/a' }]);
    // Where no rule speaks of methods and paths it says nothing that matters.
    const policy = { ...HTTP_POLICY, http: [{ host: 'api.ok.test', methods: [], paths: [] }] };
    await using open = await startIntercept({ policy });
    const free = await open.inside();
    free.send(request('/v1/a', `${field}\r\nConnection: close\r\n`));
    expect(await free.end()).toMatch(/^HTTP\/1\.1 200 /);
  });

  test.each([
    ['/v1/a?_method=DELETE', /parameter _method, which may override/],
    ['/v1/a?b=c&%5Fmethod=DELETE', /parameter _method/],
    ['/v1/a?.method=DELETE', /parameter \.method/],
    ['/v1/a?X-HTTP-Method-Override=DELETE', /parameter X-HTTP-Method-Override/],
    ['/v1/a?x_method_override=DELETE', /parameter x_method_override/],
  ])('34 the query of %s, which could change the method, is rejected', async (path, why) => {
    await using one = await startIntercept();
    const client = await one.inside();
    client.send(request(path, 'Connection: close\r\n'));
    expect(await client.end()).toMatch(/^HTTP\/1\.1 400 /);
    expect([one.received(), one.rig.dials]).toEqual(['', []]);
    expect(one.rig.records()).toMatchObject([{ reason: 'bad-request', detail: expect.stringMatching(why) }]);
    await using off = await startIntercept({ inspector: seesAll, enforcement: { httpRules: false } });
    const free = await off.inside();
    free.send(request(path, 'Connection: close\r\n'));
    expect(await free.end()).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('34 a GET with a body, which could be read as a second request, is rejected; a POST arrives', async () => {
    const second = request('/v2/admin', '', 'api.ok.test', 'DELETE');
    const body = `Content-Length: ${second.length}\r\nConnection: close\r\n`;
    for (const framing of [body, 'Transfer-Encoding: chunked\r\nConnection: close\r\n']) {
      await using one = await startIntercept();
      const client = await one.inside();
      client.send(request('/v1/a', framing) + second);
      expect(await client.end()).toMatch(/^HTTP\/1\.1 400 [\s\S]*may be read as another request/);
      expect([one.received(), one.rig.dials]).toEqual(['', []]);
    }
    await using posting = await startIntercept();
    const client = await posting.inside();
    client.send(request('/v1/a', body, 'api.ok.test', 'POST') + second);
    await client.until('HTTP/1.1 200 ');
    await using off = await startIntercept({ inspector: seesAll, enforcement: { httpRules: false } });
    const free = await off.inside();
    free.send(request('/v1/a', body) + second);
    await free.end();
    expect(off.received()).toContain('DELETE /v2/admin');
  });

  test('without the control, a request outside the rules arrives', async () => {
    await using rig = await startRig({ policy: HTTP_POLICY, upstream: answering(), enforcement: { httpRules: false } });
    expect(await rig.ask(GET('http://api.ok.test/v2', 'Connection: close\r\n'))).toMatch(/^HTTP\/1\.1 200/);
  });

  test('the rules hold for plain HTTP as well, in absolute form and in a tunnel', async () => {
    const answers = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
    await using rig = await startRig({ policy: HTTP_POLICY, upstream: answering(answers) });
    const close = 'Connection: close\r\n';
    expect(await rig.ask(GET('http://api.ok.test/v2', close))).toMatch(/^HTTP\/1\.1 403/);
    expect(await rig.ask(GET('http://api.ok.test/v1/x', close))).toMatch(/^HTTP\/1\.1 200/);
    expect(await rig.ask(CONNECT('api.ok.test:80') + request('/v2/x', close))).toMatch(/403 Forbidden/);
    expect(await rig.ask(CONNECT('api.ok.test:80') + request('/v1/y', close))).toMatch(/\r\n\r\nok$/);
    expect(await rig.ask(CONNECT('api.ok.test:80') + request('/v1/y', close, 'evil.test'))).toMatch(/421 Misdirected/);
    expect(rig.received().match(/^GET .*/gm)).toEqual(['GET /v1/x HTTP/1.1', 'GET /v1/y HTTP/1.1']);
  });
});
