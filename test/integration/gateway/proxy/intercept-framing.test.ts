import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { answers, request, startIntercept } from './intercept-rig.ts';

describe('responses in an intercepted tunnel', () => {
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
  ])('with %s become a 502, and none of their bytes are passed on', async (_name, text) => {
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
  ])('with status %s have no body, whatever their headers declare', async (_name, text) => {
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

  test('before the end of the request are passed on, and the connection is closed, since the start of the next request is unknown', async () => {
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

  test('to a request that expects 100-continue are passed on as they arrive', async () => {
    const serve = (socket: Socket) => {
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

  test('bytes after a response are not taken as the next response', async () => {
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
