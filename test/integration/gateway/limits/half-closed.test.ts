import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { startIntercept } from '../proxy/intercept-rig.ts';
import { type Client, CONNECT, GET, type Rig, startRig } from '../rig.ts';

/** A server that takes everything, and neither answers nor closes. */
const silent = (socket: Socket) => void socket.resume();

/** Opens tunnels and ends each cleanly, as a program does that closes its connection. */
async function endAll(rig: Rig, count: number): Promise<void> {
  for (let done = 0; done < count; done += 1) {
    const client = await rig.client();
    client.send(CONNECT('api.ok.test:22'));
    await client.until(' 200 ');
    client.socket.end();
  }
}

async function all(count: number, make: () => Promise<Client>): Promise<Client[]> {
  const made: Client[] = [];
  for (let done = 0; done < count; done += 1) made.push(await make());
  return made;
}

describe('connections whose client has ended', () => {
  test('400 towards a server that never closes leave every slot free', async () => {
    await using rig = await startRig({ upstream: silent, limits: { requestsPerSecond: 10_000 } });
    await endAll(rig, 400);
    while (rig.listener.stats.connections > 0) await sleep(5);
    const open = await all(256, async () => {
      const client = await rig.client();
      client.send(CONNECT('api.ok.test:22'));
      await client.until(' 200 ');
      return client;
    });
    expect(open).toHaveLength(256);
    expect(await rig.ask('')).toMatch(/^HTTP\/1\.1 503 /);
    expect(rig.records().filter(({ reason }) => reason === 'too-many-connections')).toHaveLength(1);
  });

  test('without the control, they keep all slots', async () => {
    await using rig = await startRig({
      upstream: silent,
      limits: { connections: 20 },
      enforcement: { halfClosed: false },
    });
    await endAll(rig, 20);
    expect(await rig.ask('')).toMatch(/^HTTP\/1\.1 503 /);
    expect(rig.listener.stats.connections).toBeGreaterThanOrEqual(20);
  });

  test.each([
    ['a tunnel', `${CONNECT('api.ok.test:22')}question`],
    ['plain HTTP', GET('http://api.ok.test/')],
  ])('get their late answer, also while hundreds of others end: %s', async (_name, text) => {
    const asked: Socket[] = [];
    const upstream = (socket: Socket) => void socket.once('data', () => asked.push(socket)).resume();
    await using rig = await startRig({ upstream, limits: { requestsPerSecond: 10_000 } });
    const client = await rig.client();
    client.send(text);
    client.socket.end();
    while (asked.length === 0 || rig.listener.stats.connections > 0) await sleep(5);
    await endAll(rig, 400);
    asked[0]?.end('HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\nthe late answer');
    expect(await client.end()).toMatch(/the late answer$/);
  });

  test('without an answer, are closed after a time, and recorded as idle', async () => {
    await using rig = await startRig({ upstream: silent, limits: { halfClosedMs: 40 } });
    await endAll(rig, 3);
    const plain = await rig.client();
    plain.send(GET('http://api.ok.test/'));
    plain.socket.end();
    while (rig.records().filter(({ verdict }) => verdict === 'closed').length < 4) await sleep(5);
    expect(rig.records().filter(({ reason }) => reason === 'idle')).toHaveLength(4);
    while (rig.listener.stats.connections > 0) await sleep(5);
    expect(rig.listener.stats.active).toBe(0);
  });

  test('beyond their own number, the one that is silent for the longest time is closed', async () => {
    await using rig = await startRig({ upstream: silent, limits: { halfClosed: 3 } });
    await endAll(rig, 5);
    while (rig.listener.stats.active > 3) await sleep(5);
    expect(rig.records().filter(({ reason }) => reason === 'idle')).toHaveLength(2);
  });

  test('and asked inside an intercepted tunnel use no slot either', async () => {
    await using rig = await startIntercept({ serve: silent });
    const client = await rig.inside();
    client.send('GET /v1/a HTTP/1.1\r\nHost: api.ok.test\r\n\r\n');
    while (!rig.received().includes('GET /v1/a')) await sleep(5);
    expect(rig.rig.listener.stats.connections).toBe(1);
    client.socket.end();
    while (rig.rig.listener.stats.connections > 0) await sleep(5);
    expect(rig.rig.listener.stats.active).toBe(1);
  });
});
