import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { answers, request, startIntercept } from './intercept-rig.ts';

describe('35 a WebSocket', () => {
  const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
  const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';
  const ask = request(
    '/v1/ws',
    `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n`,
  );
  const switching = (accept: string) =>
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
  const echoAfter = (head: string) => (socket: Socket) =>
    void socket.once('data', () => {
      socket.write(head);
      socket.pipe(socket);
    });

  test('that the upstream accepts becomes a tunnel in both directions', async () => {
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
  ])('is not opened by a response with %s', async (_name, head) => {
    await using one = await startIntercept({ serve: echoAfter(head) });
    const client = await one.inside();
    client.send(ask);
    client.send('smuggled');
    expect(await client.end()).toMatch(/^HTTP\/1\.1 502 /);
    expect(one.received()).not.toContain('smuggled');
  });

  test('without the control, a response of 200 opens one', async () => {
    await using one = await startIntercept({
      serve: echoAfter('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
      enforcement: { websocket: false },
    });
    const client = await one.inside();
    client.send(ask);
    await client.until('200 OK');
    client.send('smuggled');
    await client.until('smuggled');
  });

  test('that the upstream rejects gets an ordinary response', async () => {
    await using one = await startIntercept({
      serve: answers('HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno'),
    });
    const client = await one.inside();
    client.send(ask);
    await client.until('401 Unauthorized');
    await client.until('\r\n\r\nno');
  });

  test('is the only upgrade: one to another protocol is forwarded without its Upgrade header', async () => {
    await using one = await startIntercept();
    const client = await one.inside();
    client.send(request('/v1/a', 'Connection: Upgrade, X-Hop\r\nUpgrade: other\r\nX-Hop: 1\r\n'));
    await client.until('GET /v1/a HTTP/1.1');
    expect(one.received()).toBe('GET /v1/a HTTP/1.1\r\nHost: api.ok.test\r\nConnection: keep-alive\r\n\r\n');
  });
});
