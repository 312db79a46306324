import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { answering, GET, PUBLIC, startRig } from '../rig.ts';

const URL_OK = 'http://api.ok.test/a?b=c';

describe('plain HTTP', () => {
  test('is forwarded in origin form with the Host of its target, without hop-by-hop and nominated headers', async () => {
    await using rig = await startRig({ upstream: answering() });
    const headers =
      'Connection: Authorization, X-Api-Key, close\r\nAuthorization: Bearer x\r\nX-Api-Key: y\r\nX-Stays: \xe9z\r\n' +
      'Proxy-Authorization: Basic q\r\nProxy-Connection: keep-alive\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: websocket\r\n';
    const text = await rig.ask(GET(URL_OK, headers, 'API.ok.test:80'));
    expect(text).toBe('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok');
    expect(rig.received()).toBe(
      'GET /a?b=c HTTP/1.1\r\nHost: api.ok.test\r\nX-Stays: \xe9z\r\nConnection: close\r\n\r\n',
    );
    expect(rig.dials).toEqual([`${PUBLIC}:80`]);
    expect(rig.records()).toMatchObject([
      { verdict: 'allow', method: 'GET', path: '/a?b=c', address: PUBLIC },
      { verdict: 'closed', reason: 'rule' },
    ]);
  });

  test('headers that frame the body are kept when Connection nominates them', async () => {
    await using rig = await startRig({ upstream: answering() });
    await rig.ask(
      'POST http://api.ok.test/ HTTP/1.1\r\nHost: api.ok.test\r\nConnection: close, content-length, host\r\nContent-Length: 3\r\n\r\nabc',
    );
    expect(rig.received()).toBe(
      'POST / HTTP/1.1\r\nHost: api.ok.test\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc',
    );
  });

  test('each request of a connection is decided, resolved and dialled on its own, also when it is pipelined', async () => {
    await using rig = await startRig({ upstream: answering() });
    const client = await rig.client();
    client.send(GET(URL_OK) + GET('http://evil.test/') + GET('http://a.wild.test/', 'Connection: close\r\n'));
    const text = await client.end();
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 403', 'HTTP/1.1 200']);
    expect(rig.lookups).toEqual(['api.ok.test', 'a.wild.test']);
    expect(rig.dials).toHaveLength(2);
  });

  test('bytes after a body do not reach the upstream of that body', async () => {
    const bodies = [
      'Content-Length: 3\r\n\r\nabc',
      'Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n',
    ];
    for (const body of bodies) {
      await using rig = await startRig({ upstream: answering() });
      const text = await rig.ask(
        `POST http://api.ok.test/ HTTP/1.1\r\nHost: api.ok.test\r\n${body}${GET('http://evil.test/secret', 'Connection: close\r\n')}`,
      );
      expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 403']);
      expect(rig.received()).not.toContain('secret');
      expect(rig.received()).not.toContain('x=y');
    }
  });

  test('malformed chunks end the connection', async () => {
    for (const chunks of ['g\r\n', '3\r\nabcd\r\n', '3\nabc\r\n', '-1\r\n', '0x3\r\nabc\r\n', '1'.repeat(2_000)]) {
      await using rig = await startRig({ upstream: () => {} });
      const text = await rig.ask(
        `POST http://api.ok.test/ HTTP/1.1\r\nHost: api.ok.test\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`,
      );
      expect(text).toMatch(/^HTTP\/1\.1 400 /);
      expect(rig.records().at(-1)).toMatchObject({ verdict: 'closed', reason: 'bad-request' });
    }
  });

  test.each([
    ['a length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', 'hello'],
    [
      'chunks',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
      '5\r\nhello\r\n0\r\n\r\n',
    ],
    ['no body at all', 'HTTP/1.1 204 No Content\r\n\r\n', ''],
    ['not modified', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', ''],
    ['an interim answer before', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', 'ok'],
  ])('the connection stays open after a response with %s', async (_name, response, body) => {
    await using rig = await startRig({ upstream: answering(response) });
    const client = await rig.client();
    client.send(GET(URL_OK));
    await client.until(`\r\n\r\n${body}`);
    client.send(GET('http://evil.test/', 'Connection: close\r\n'));
    expect(await client.end()).toContain('HTTP/1.1 403 ');
  });

  test('a response delimited by the end of the connection closes it; a response to HEAD has no body', async () => {
    await using rig = await startRig({ upstream: answering('HTTP/1.1 200 OK\r\n\r\nuntil the end') });
    const text = await rig.ask(GET(URL_OK));
    expect(text).toBe('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end');
    await using head = await startRig({ upstream: answering('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n') });
    const request = GET(URL_OK, 'Connection: close\r\n').replace('GET', 'HEAD');
    expect(await head.ask(request)).toBe('HTTP/1.1 200 OK\r\nContent-Length: 99\r\nConnection: close\r\n\r\n');
  });

  test.each([
    ['both framings', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok'],
    ['no HTTP', 'SSH-2.0-x\r\n\r\n'],
    ['a switch of protocols', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n'],
    ['nothing', ''],
  ])('a response with %s becomes a 502', async (_name, response) => {
    await using rig = await startRig({ upstream: (socket) => void socket.once('data', () => socket.end(response)) });
    expect(await rig.ask(GET(URL_OK))).toMatch(/^HTTP\/1\.1 502 /);
    expect(rig.records().at(-1)).toMatchObject({ verdict: 'closed', reason: 'upstream-failed' });
  });

  test('a response received in one piece is sent in one piece; a head alone is sent at once', async () => {
    const pieces = ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n'];
    let next = 0;
    await using rig = await startRig({
      upstream: (socket) => void socket.once('data', () => socket.write(pieces[next++] ?? '')),
    });
    const client = await rig.client();
    const seen: string[] = [];
    client.socket.on('data', (bytes: Buffer) => void seen.push(bytes.toString()));
    client.send(GET(URL_OK));
    await client.until('ok');
    expect(seen).toEqual(['HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok']);
    client.send(GET(URL_OK));
    await client.until('okHTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n');
  });

  test('a response that is malformed from its start becomes a 502; one that becomes malformed later is cut', async () => {
    const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
    await using rig = await startRig({ upstream: answering(`${head}zz\r\n`) });
    expect(await rig.ask(GET(URL_OK))).toMatch(/^HTTP\/1\.1 502 [\s\S]*a malformed chunk size/);
    await using later = await startRig({ upstream: answering(`${head}2\r\nok\r\n`.concat('x'.repeat(40))) });
    expect(await later.ask(GET(URL_OK))).not.toContain('0\r\n\r\n');
    expect(later.records().at(-1)).toMatchObject({ verdict: 'closed', reason: 'upstream-failed' });
  });

  test('a truncated response is truncated for the client as well', async () => {
    await using rig = await startRig({ upstream: answering('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf') });
    expect(await rig.ask(GET(URL_OK))).toMatch(/half$/);
    expect(rig.records().at(-1)).toMatchObject({ verdict: 'closed', reason: 'upstream-failed' });
  });

  test('a redirect to a denied host is returned, not followed', async () => {
    const response = 'HTTP/1.1 302 Found\r\nLocation: http://evil.test/\r\nContent-Length: 0\r\n\r\n';
    await using rig = await startRig({ upstream: answering(response) });
    const text = await rig.ask(GET(URL_OK, 'Connection: close\r\n'));
    expect(text).toContain('Location: http://evil.test/');
    expect(rig.lookups).toEqual(['api.ok.test']);
    expect(rig.dials).toHaveLength(1);
  });

  test('a response before the end of the request body is passed on, and the connection is closed', async () => {
    await using rig = await startRig({ upstream: answering('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n') });
    const client = await rig.client();
    client.send('POST http://api.ok.test/ HTTP/1.1\r\nHost: api.ok.test\r\nContent-Length: 900000\r\n\r\nabc');
    expect(await client.end()).toMatch(/^HTTP\/1\.1 413 /);
  });

  test('server-sent events are passed on one by one', async () => {
    let upstream: Socket | undefined;
    await using rig = await startRig({
      upstream(socket) {
        upstream = socket;
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      },
    });
    const client = await rig.client();
    client.send(GET(URL_OK));
    await client.until('\r\n\r\n');
    for (const event of ['one', 'two', 'three']) {
      upstream?.write(`${event.length.toString(16)}\r\n${event}\r\n`);
      await client.until(event);
    }
  });

  test('20 MB arrive complete in both directions, chunked and with a length', async () => {
    const big = 'y'.repeat(20 << 20);
    const chunked = `${big.length.toString(16)}\r\n${big}\r\n0\r\n\r\n`;
    await using rig = await startRig({
      upstream(socket) {
        let size = 0;
        socket.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (chunk.toString('latin1').endsWith('END'))
            socket.end(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Size: ${size}\r\n\r\n${chunked}`);
        });
      },
    });
    const body = `${big}END`;
    const text = await rig.ask(
      `POST http://api.ok.test/ HTTP/1.1\r\nHost: api.ok.test\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    expect(text.split('y').length - 1).toBe(big.length);
    expect(Number(/X-Size: (\d+)/.exec(text)?.[1])).toBeGreaterThan(body.length);
    expect(text.endsWith('0\r\n\r\n')).toBe(true);
  });

  test('a denial names the rule and the entry that would allow the request', async () => {
    await using rig = await startRig();
    const byDefault = await rig.ask(GET('http://evil.test:8080/', 'Connection: close\r\n'));
    expect(byDefault).toContain('evil.test:8080 is denied: no allow rule covers it');
    expect(byDefault).toContain('add "evil.test:8080" to [network] allow in sandbox.toml');
    const byRule = await rig.ask(GET('http://bad.wild.test/', 'Connection: close\r\n'));
    expect(byRule).toContain('denied by the rule bad.wild.test (/p/sandbox.toml:9)');
  });

  test('the upstream request is aborted when the client disconnects', async () => {
    let gone = false;
    await using rig = await startRig({
      upstream(socket) {
        socket.on('close', () => {
          gone = true;
        });
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${64 << 20}\r\n\r\n`);
        const more = () => {
          while (!socket.destroyed && socket.write(Buffer.alloc(65_536)));
          socket.once('drain', more);
        };
        more();
      },
    });
    const client = await rig.client();
    client.send(GET(URL_OK));
    await client.until('\r\n\r\n');
    client.socket.destroy();
    while (!gone) await sleep(5);
    expect(rig.listener.stats.active).toBe(0);
  });
});
