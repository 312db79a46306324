import { createHash, randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { answers, request, startIntercept } from './intercept-rig.ts';

describe('responses in an intercepted tunnel', () => {
  test('server-sent events are passed on one by one', async () => {
    let next = () => {};
    const serve = (socket: Socket) =>
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

  test('large bodies arrive complete in both directions at once', async () => {
    const body = randomBytes(16 * 1024 * 1024);
    const serve = (socket: Socket) => {
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

  test('a response to HEAD keeps its content-length and has no body', async () => {
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

  test('an upstream that closed an idle connection is dialled again', async () => {
    let count = 0;
    const serve = (socket: Socket) =>
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

  test('many requests on one connection leave no listeners on its sockets', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => void warnings.push(warning);
    process.on('warning', onWarning);
    const inspector = {
      wants: () => true,
      request: async ({ headers }: { headers: [string, string][] }) => ({ headers }),
      response: ({ headers }: { headers: [string, string][] }) => ({ headers, body: new PassThrough() }),
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
});
