import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { compilePolicy } from '../../../../lib/gateway/policy/policy.ts';
import { clientOf, POLICY } from '../rig.ts';
import { HTTP_POLICY, handshake, mirror, openTunnel, request, startIntercept } from './intercept-rig.ts';

describe('19 a policy that becomes narrower', () => {
  test('denies the next request of an open connection', async () => {
    await using one = await startIntercept();
    const client = await one.inside();
    client.send(request('/v1/a'));
    await client.until('GET /v1/a HTTP/1.1');
    one.rig.listener.setPolicy(
      compilePolicy({ ...POLICY, http: [{ host: 'api.ok.test', methods: [], paths: ['/v1/b'] }] }),
    );
    client.send(request('/v1/a'));
    await client.until('403 Forbidden');
    client.send(request('/v1/b'));
    await client.until('GET /v1/b HTTP/1.1');
    expect(one.received().match(/^GET \S+/gm)).toEqual(['GET /v1/a', 'GET /v1/b']);
  });

  test('closes the idle upstream connection, even when no request follows', async () => {
    const ended: string[] = [];
    const serve = (socket: Socket) => {
      mirror(socket);
      socket.on('close', () => void ended.push('upstream'));
    };
    await using one = await startIntercept({ serve });
    const client = await one.inside();
    client.send(request('/v1/a'));
    await client.until('GET /v1/a HTTP/1.1');
    expect(ended).toEqual([]);
    one.rig.listener.setPolicy(compilePolicy({ ...HTTP_POLICY, allow: [] }));
    while (ended.length === 0) await sleep(5);
    client.send(request('/v1/b'));
    await client.until('403 Forbidden');
    one.rig.listener.setPolicy(compilePolicy(HTTP_POLICY));
    client.send(request('/v1/c'));
    await client.until('GET /v1/c HTTP/1.1');
    expect(one.connections()).toBe(2);
  });

  test('cuts a request in progress, and an opaque tunnel', async () => {
    await using one = await startIntercept({ policy: POLICY, serve: () => {} });
    const unread = await openTunnel(one.rig, 'api.ok.test');
    const inner = clientOf(await handshake(unread.socket, { ca: one.upstreamCa, servername: 'api.ok.test' }));
    one.rig.listener.setPolicy(compilePolicy(HTTP_POLICY));
    await inner.end();
    expect(one.rig.records().at(-1)).toMatchObject({ verdict: 'closed', reason: 'policy-changed' });
    const client = await one.inside();
    client.send(request('/v1/slow'));
    while (!one.received().includes('/v1/slow')) await sleep(5);
    one.rig.listener.setPolicy(compilePolicy({ ...HTTP_POLICY, allow: [] }));
    expect(await client.end()).toBe('');
    expect(one.rig.records().at(-1)).toMatchObject({ verdict: 'closed', reason: 'policy-changed', path: '/v1/slow' });
  });
});
