import { describe, expect, test } from 'vitest';
import { PUBLIC } from '../rig.ts';
import { request, startIntercept } from './intercept-rig.ts';

describe('an intercepted request for another host', () => {
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
  test.each(Object.entries(sends))('%s: it gets 421 and is not forwarded', async (_name, bytes) => {
    await using one = await startIntercept();
    const client = await one.inside();
    client.send(bytes);
    expect(await client.end()).toMatch(/^HTTP\/1\.1 421 /);
    expect(one.rig.dials).toEqual([]);
    expect(one.rig.records()).toMatchObject([
      { verdict: 'deny', reason: 'misdirected', host: 'api.ok.test', port: 443 },
    ]);
  });

  test('24 it gets 421 as the second request of a connection, too', async () => {
    await using one = await startIntercept();
    const client = await one.inside();
    client.send(request('/v1/a') + request('/v1/b', '', 'other.wild.test') + request('/v1/c'));
    expect(await client.end()).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*HTTP\/1\.1 421 /);
    expect(one.received().match(/^GET/gm)).toHaveLength(1);
  });

  test('without the control, a request for another Host is answered', async () => {
    await using one = await startIntercept({ enforcement: { innerHost: false } });
    const client = await one.inside();
    client.send(sends['22 another Host']);
    expect(await client.until('GET /v1/a HTTP/1.1')).toMatch(/^HTTP\/1\.1 200/);
  });
});

describe('a malformed intercepted request', () => {
  const post = (headers: string, body = '') => request('/v1/a', headers, 'api.ok.test', 'POST') + body;
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
  )('%s: it gets 400 and the connection is closed', async (_name, bytes) => {
    await using one = await startIntercept();
    const client = await one.inside();
    client.send(bytes);
    expect(await client.end()).toMatch(/^HTTP\/1\.1 400 /);
    expect(one.rig.dials).toEqual([]);
    expect(one.rig.records()).toMatchObject([{ verdict: 'deny', reason: 'bad-request', host: 'api.ok.test' }]);
  });
});
