import { Transform } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { Inspector } from '../../../../lib/gateway/http/inspector.ts';
import {
  answers,
  handshake,
  type InterceptOptions,
  mirror,
  openTunnel,
  request,
  startIntercept,
} from '../proxy/intercept-rig.ts';

describe('an inspector', () => {
  const inspector = (more: Partial<Inspector> = {}): Inspector => ({
    wants: (host) => host === 'in.wild.test',
    request: async ({ headers }) => ({ headers }),
    response: ({ headers }) => ({ headers }),
    ...more,
  });
  const intercept = (more: Partial<Inspector>, options: InterceptOptions = {}) =>
    startIntercept({ inspector: inspector(more), ...options });

  test('33 sees and changes the headers that are left without the hop-by-hop ones', async () => {
    const seen: unknown[] = [];
    await using one = await intercept({
      request: async (message) => {
        seen.push(message);
        return { headers: [...message.headers, ['Authorization', 'Bearer real']] };
      },
    });
    const client = await one.inside('in.wild.test');
    client.send(request('/x?y', 'Connection: authorization\r\nAuthorization: mine\r\nA: b\r\n', 'in.wild.test'));
    await client.until('GET /x?y HTTP/1.1');
    expect(seen).toEqual([
      { method: 'GET', host: 'in.wild.test', port: 443, secure: true, target: '/x?y', headers: [['A', 'b']] },
    ]);
    expect(one.received()).toContain('A: b\r\nAuthorization: Bearer real\r\nConnection: keep-alive\r\n');
    expect(one.received()).not.toContain('mine');
  });

  test('can deny a request: nothing is dialled, and its reason is recorded', async () => {
    await using one = await intercept({
      request: async () => ({ denial: { status: 403, text: 'no such secret', reason: 'secret-misuse' } }),
    });
    const client = await one.inside('in.wild.test');
    client.send(request('/', '', 'in.wild.test'));
    await client.until('no such secret');
    expect(one.rig.dials).toEqual([]);
    expect(one.rig.records()).toMatchObject([{ verdict: 'deny', reason: 'refused', detail: 'secret-misuse' }]);
  });

  test.each([
    ['that throws', async () => Promise.reject(new Error('sk-secret'))],
    ['whose field holds a line end', async () => ({ headers: [['A', 'sk-secret\r\nEvil: 1'] as [string, string]] })],
  ])('%s sends nothing and reveals nothing', async (_name, ask) => {
    await using one = await intercept({ request: ask });
    const client = await one.inside('in.wild.test');
    client.send(request('/', 'Connection: close\r\n', 'in.wild.test'));
    const text = await client.end();
    expect(text).toMatch(/^HTTP\/1\.1 502 /);
    expect(text + JSON.stringify(one.rig.records())).not.toContain('sk-secret');
    expect(one.rig.dials).toEqual([]);
  });

  test('changes the headers of a response, and its body as it streams', async () => {
    const upper = () =>
      new Transform({ transform: (chunk: Buffer, _encoding, done) => done(null, chunk.toString().toUpperCase()) });
    await using one = await intercept(
      { response: ({ headers }) => ({ headers: [...headers, ['X-Seen', '1']], body: upper() }) },
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

  test('whose change of a response fails cuts it', async () => {
    const broken = () => new Transform({ transform: (_chunk, _encoding, done) => done(new Error('broken')) });
    await using one = await intercept(
      { response: ({ headers }) => ({ headers, body: broken() }) },
      { serve: answers('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret') },
    );
    const client = await one.inside('in.wild.test');
    client.send(request('/', '', 'in.wild.test'));
    expect(await client.end()).not.toContain('secret');
  });

  test('that asks for no host leaves tunnels opaque', async () => {
    await using one = await intercept({ wants: () => false }, { serve: mirror });
    const client = await openTunnel(one.rig, 'in.wild.test');
    await expect(handshake(client.socket, { ca: one.authority.pem, servername: 'in.wild.test' })).rejects.toThrow(
      /certificate/,
    );
  });
});
