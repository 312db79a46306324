import { createHash, randomBytes } from 'node:crypto';
import { PassThrough, Transform } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { Inspector } from '../../../lib/gateway/inspector.ts';
import { type InterceptOptions, mirror, request, startIntercept } from './intercept-rig.ts';

const answers = (text: string) => (socket: import('node:net').Socket) =>
  void socket.on('data', () => socket.write(text));

describe('answers inside a tunnel', () => {
  test('events arrive one by one, as they are sent', async () => {
    let next = () => {};
    const serve = (socket: import('node:net').Socket) =>
      void socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n');
        socket.write('d\r\ndata: first\n\n\r\n');
        next = () => void socket.write('e\r\ndata: second\n\n\r\n0\r\n\r\n');
      });
    await using one = await startIntercept({ serve });
    const client = await one.inside();
    client.send(request('/v1/events'));
    expect(await client.until('data: first')).not.toContain('second');
    next();
    await client.until('data: second\n\n\r\n0\r\n\r\n');
  });

  test('large bodies arrive whole, both ways at once', async () => {
    const body = randomBytes(16 * 1024 * 1024);
    const serve = (socket: import('node:net').Socket) => {
      let inside = false;
      socket.on('data', (bytes: Buffer) => {
        if (inside) return void socket.write(bytes);
        inside = true;
        const end = bytes.indexOf('\r\n\r\n') + 4;
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
        socket.write(bytes.subarray(end));
      });
    };
    await using one = await startIntercept({ serve });
    const client = await one.inside();
    const hash = createHash('sha256');
    let size = 0;
    let head = '';
    client.socket.removeAllListeners('data');
    const done = new Promise<void>((resolve) =>
      client.socket.on('data', (bytes: Buffer) => {
        let payload = bytes;
        if (!head.includes('\r\n\r\n')) {
          head += bytes.toString('latin1');
          payload = Buffer.from(head.slice(head.indexOf('\r\n\r\n') + 4), 'latin1');
        }
        hash.update(payload);
        size += payload.length;
        if (size >= body.length) resolve();
      }),
    );
    client.send(request('/v1/a', `Content-Length: ${body.length}\r\n`, 'api.ok.test', 'POST'));
    client.socket.write(body);
    await done;
    expect(size).toBe(body.length);
    expect(hash.digest('hex')).toBe(createHash('sha256').update(body).digest('hex'));
  });

  test('29 a redirect is returned, not followed', async () => {
    const serve = answers('HTTP/1.1 302 Found\r\nLocation: https://evil.test/\r\nContent-Length: 0\r\n\r\n');
    await using one = await startIntercept({ serve });
    const client = await one.inside();
    client.send(request('/v1/a'));
    expect(await client.until('\r\n\r\n')).toMatch(/^HTTP\/1\.1 302 Found\r\nLocation: https:\/\/evil\.test\/\r\n/);
    expect(one.rig.lookups).toEqual(['api.ok.test']);
  });

  test('an answer to HEAD keeps its length and no body', async () => {
    await using one = await startIntercept({
      serve: answers('HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n'),
      policy: {
        allow: [{ pattern: 'api.ok.test' }],
        deny: [],
        http: [{ host: 'api.ok.test', methods: [], paths: [] }],
      },
    });
    const client = await one.inside();
    client.send(request('/', '', 'api.ok.test', 'HEAD'));
    expect(await client.until('\r\n\r\n')).toContain('Content-Length: 7\r\n');
    client.send(request('/', '', 'api.ok.test', 'HEAD'));
    await client.until('keep-alive\r\n\r\nHTTP/1.1 200 OK');
  });

  test('an upstream that ended while nothing was asked is dialled again', async () => {
    let count = 0;
    const serve = (socket: import('node:net').Socket) =>
      void socket.once('data', () => {
        count += 1;
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        socket.end();
      });
    await using one = await startIntercept({ serve });
    const client = await one.inside();
    for (const path of ['/v1/1', '/v1/2', '/v1/3']) {
      const before = client.text().length;
      client.send(request(path));
      while (client.text().slice(before).endsWith('ok') === false)
        await new Promise((resolve) => client.socket.once('data', resolve));
    }
    expect(count).toBe(3);
    expect(one.connections()).toBe(3);
  });

  test('many requests of one connection leave nothing behind on it', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => void warnings.push(warning);
    process.on('warning', onWarning);
    const inspector = {
      wants: () => true,
      request: async ({ fields }: { fields: [string, string][] }) => ({ fields }),
      response: ({ fields }: { fields: [string, string][] }) => ({ fields, body: new PassThrough() }),
    };
    await using one = await startIntercept({ inspector });
    const client = await one.inside();
    for (let index = 0; index < 30; index += 1) {
      client.send(request(`/v1/${index}`));
      await client.until(`GET /v1/${index} HTTP/1.1`);
    }
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
    expect(one.connections()).toBe(1);
  });

  test.each([
    ['both framings', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['two lengths, though they are the same', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok'],
    ['a folded field', 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok'],
    ['a field split in two', 'HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 2\r\n\r\nok'],
    ['bare line feeds', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok'],
    ['a space before the colon', 'HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok'],
    ['gzip, chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
    ['an escape in its words', 'HTTP/1.1 200 \x1b[31m\r\nContent-Length: 2\r\n\r\nok'],
    ['HTTP/2', 'HTTP/2 200\r\n\r\n'],
    ['a status below 100', 'HTTP/1.1 099 X\r\n\r\n'],
    ['a switch to another protocol', 'HTTP/1.1 101 X\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n'],
    ['a head of more than 64 KiB', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(70_000)}\r\n\r\n`],
    ['more than 500 fields', `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(501)}\r\n`],
  ])('with %s are a 502, and nothing of them goes on', async (_name, text) => {
    await using one = await startIntercept({ serve: answers(text) });
    const client = await one.inside();
    client.send(request('/v1/1') + request('/v1/2'));
    const told = await client.end();
    expect(told).toMatch(/^HTTP\/1\.1 502 /);
    expect(told.match(/^HTTP\/1\.1 /gm)).toHaveLength(1);
    expect(one.received()).not.toContain('/v1/2');
    expect(one.rig.records().at(-1)).toMatchObject({ verdict: 'closed', reason: 'upstream-failed' });
  });

  test.each([
    ['204', 'HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\npoison'],
    ['304', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\npoison'],
    ['103 with a length', 'HTTP/1.1 103 Early\r\nContent-Length: 6\r\n\r\nHTTP/1.1 204 X\r\n\r\npoison'],
  ])('of %s have no body, whatever they say', async (_name, text) => {
    await using one = await startIntercept({ serve: answers(text) });
    const client = await one.inside();
    client.send(request('/v1/1'));
    await client.until('Connection: keep-alive\r\n\r\n');
    client.send(request('/v1/2', 'Connection: close\r\n'));
    const told = await client.end();
    expect(told).not.toContain('poison');
    expect(told.match(/^HTTP\/1\.1 [23]0[34] /gm)?.length).toBeGreaterThanOrEqual(2);
    expect(one.connections()).toBe(2);
  });

  test('before the end of the request are passed on, and the connection ends: nobody knows where the next request begins', async () => {
    await using one = await startIntercept({
      serve: answers('HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n'),
    });
    const client = await one.inside();
    client.send(request('/v1/a', 'Expect: 100-continue\r\nContent-Length: 300\r\n', 'api.ok.test', 'POST'));
    await client.until('417 Expectation Failed');
    client.send(request('/v1/smuggled'));
    await client.end();
    expect(one.received()).not.toContain('smuggled');
  });

  test('to a request that waits for 100 come when they come', async () => {
    const serve = (socket: import('node:net').Socket) => {
      let heard = '';
      socket.on('data', (chunk) => {
        const before = heard;
        heard += chunk;
        if (!before.includes('\r\n\r\n') && heard.includes('\r\n\r\n')) socket.write('HTTP/1.1 100 Continue\r\n\r\n');
        if (heard.endsWith('\r\n\r\nabc')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      });
    };
    await using one = await startIntercept({ serve });
    const client = await one.inside();
    client.send(request('/v1/a', 'Expect: 100-continue\r\nContent-Length: 3\r\n', 'api.ok.test', 'POST'));
    await client.until('HTTP/1.1 100 Continue\r\n\r\n');
    client.send('abc');
    await client.until('\r\n\r\nok');
    expect(one.received()).toMatch(/\r\n\r\nabc$/);
  });

  test('what comes behind an answer answers nothing', async () => {
    const poison = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison';
    await using one = await startIntercept({
      serve: answers(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok${poison}`),
    });
    const client = await one.inside();
    client.send(request('/v1/1'));
    await client.until('\r\n\r\nok');
    client.send(request('/v1/2'));
    expect(await client.until('\r\n\r\nokHTTP/1.1 200 OK')).not.toContain('poison');
    expect(one.connections()).toBe(2);
  });
});

describe('35 a WebSocket', () => {
  const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
  const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';
  const ask = request(
    '/v1/ws',
    `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n`,
  );
  const switching = (accept: string) =>
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
  const echoAfter = (head: string) => (socket: import('node:net').Socket) =>
    void socket.once('data', () => {
      socket.write(head);
      socket.pipe(socket);
    });

  test('that the upstream accepts is a tunnel both ways', async () => {
    await using one = await startIntercept({ serve: echoAfter(`${switching(ACCEPT)}early`) });
    const client = await one.inside();
    client.send(ask);
    await client.until('upgrade\r\n\r\nearly');
    client.send('\x81\x05hello');
    await client.until('\x81\x05hello');
    expect(one.received()).toContain(`Sec-WebSocket-Key: ${KEY}\r\nUpgrade: websocket\r\nConnection: upgrade\r\n`);
    client.socket.end();
    await client.end();
    expect(one.rig.records().at(-1)).toMatchObject({ verdict: 'closed', path: '/v1/ws' });
  });

  test.each([
    ['200', 'HTTP/1.1 200 OK\r\n\r\n'],
    ['101 with another key', switching('AAAAAAAAAAAAAAAAAAAAAAAAAAA=')],
    ['101 for another protocol', switching(ACCEPT).replace('Upgrade: websocket', 'Upgrade: h2c')],
  ])('that is answered with %s opens none', async (_name, head) => {
    await using one = await startIntercept({ serve: echoAfter(head) });
    const client = await one.inside();
    client.send(ask);
    client.send('smuggled');
    expect(await client.end()).toMatch(/^HTTP\/1\.1 502 /);
    expect(one.received()).not.toContain('smuggled');
  });

  test('switched off, an answer of 200 would open one', async () => {
    await using one = await startIntercept({
      serve: echoAfter('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
      controls: { websocket: false },
    });
    const client = await one.inside();
    client.send(ask);
    await client.until('200 OK');
    client.send('smuggled');
    await client.until('smuggled');
  });

  test('that is refused is an answer like any other', async () => {
    await using one = await startIntercept({
      serve: answers('HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno'),
    });
    const client = await one.inside();
    client.send(ask);
    await client.until('401 Unauthorized');
    await client.until('\r\n\r\nno');
  });

  test('that is none is a request without the wish for another protocol', async () => {
    await using one = await startIntercept();
    const client = await one.inside();
    client.send(request('/v1/a', 'Connection: Upgrade, X-Hop\r\nUpgrade: other\r\nX-Hop: 1\r\n'));
    await client.until('GET /v1/a HTTP/1.1');
    expect(one.received()).toBe('GET /v1/a HTTP/1.1\r\nHost: api.ok.test\r\nConnection: keep-alive\r\n\r\n');
  });
});

describe('an inspector', () => {
  const inspector = (more: Partial<Inspector> = {}): Inspector => ({
    wants: (host) => host === 'in.wild.test',
    request: async ({ fields }) => ({ fields }),
    response: ({ fields }) => ({ fields }),
    ...more,
  });
  const intercept = (more: Partial<Inspector>, options: InterceptOptions = {}) =>
    startIntercept({ inspector: inspector(more), ...options });

  test('33 sees what is left after the fields of the connection, and changes it', async () => {
    const seen: unknown[] = [];
    await using one = await intercept({
      request: async (message) => {
        seen.push(message);
        return { fields: [...message.fields, ['Authorization', 'Bearer real']] };
      },
    });
    const client = await one.inside('in.wild.test');
    client.send(request('/x?y', 'Connection: authorization\r\nAuthorization: mine\r\nA: b\r\n', 'in.wild.test'));
    await client.until('GET /x?y HTTP/1.1');
    expect(seen).toEqual([
      { method: 'GET', host: 'in.wild.test', port: 443, secure: true, target: '/x?y', fields: [['A', 'b']] },
    ]);
    expect(one.received()).toContain('A: b\r\nAuthorization: Bearer real\r\nConnection: keep-alive\r\n');
    expect(one.received()).not.toContain('mine');
  });

  test('refuses: nothing is dialled, and its reason is recorded', async () => {
    await using one = await intercept({
      request: async () => ({ refusal: { status: 403, text: 'no such secret', reason: 'secret-misuse' } }),
    });
    const client = await one.inside('in.wild.test');
    client.send(request('/', '', 'in.wild.test'));
    await client.until('no such secret');
    expect(one.rig.dials).toEqual([]);
    expect(one.rig.records()).toMatchObject([{ verdict: 'deny', reason: 'refused', detail: 'secret-misuse' }]);
  });

  test.each([
    ['that throws', async () => Promise.reject(new Error('sk-secret'))],
    ['whose field holds a line end', async () => ({ fields: [['A', 'sk-secret\r\nEvil: 1'] as [string, string]] })],
  ])('%s sends nothing and shows nothing', async (_name, ask) => {
    await using one = await intercept({ request: ask });
    const client = await one.inside('in.wild.test');
    client.send(request('/', 'Connection: close\r\n', 'in.wild.test'));
    const text = await client.end();
    expect(text).toMatch(/^HTTP\/1\.1 502 /);
    expect(text + JSON.stringify(one.rig.records())).not.toContain('sk-secret');
    expect(one.rig.dials).toEqual([]);
  });

  test('changes the body of an answer as it streams, and its fields', async () => {
    const upper = () =>
      new Transform({ transform: (chunk: Buffer, _encoding, done) => done(null, chunk.toString().toUpperCase()) });
    await using one = await intercept(
      { response: ({ fields }) => ({ fields: [...fields, ['X-Seen', '1']], body: upper() }) },
      { serve: answers('HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 11\r\n\r\nhello world') },
    );
    const client = await one.inside('in.wild.test');
    client.send(request('/', '', 'in.wild.test'));
    expect(await client.until('0\r\n\r\n')).toBe(
      'HTTP/1.1 200 OK\r\nX-A: b\r\nX-Seen: 1\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\nb\r\nHELLO WORLD\r\n0\r\n\r\n',
    );
    client.send(request('/2', '', 'in.wild.test'));
    await client.until('0\r\n\r\nHTTP/1.1 200 OK');
  });

  test('whose change breaks cuts the answer', async () => {
    const broken = () => new Transform({ transform: (_chunk, _encoding, done) => done(new Error('broken')) });
    await using one = await intercept(
      { response: ({ fields }) => ({ fields, body: broken() }) },
      { serve: answers('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret') },
    );
    const client = await one.inside('in.wild.test');
    client.send(request('/', '', 'in.wild.test'));
    expect(await client.end()).not.toContain('secret');
  });

  test('that wants nothing leaves tunnels unread', async () => {
    await using one = await intercept({ wants: () => false }, { serve: mirror });
    const { openTunnel, handshake } = await import('./intercept-rig.ts');
    const client = await openTunnel(one.rig, 'in.wild.test');
    await expect(handshake(client.socket, { ca: one.authority.pem, servername: 'in.wild.test' })).rejects.toThrow(
      /certificate/,
    );
  });
});
