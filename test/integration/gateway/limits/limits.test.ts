import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { openAudit } from '../../../../lib/gateway/audit/audit.ts';
import { answering, type Client, CONNECT, GET, startRig } from '../rig.ts';

const CLOSE = 'Connection: close\r\n';

describe('the limits of one VM', () => {
  test('the socket is accessible to its user only', async () => {
    await using rig = await startRig();
    expect(statSync(rig.socketPath).mode & 0o777).toBe(0o600);
  });

  test('a head that arrives too slowly ends the connection, with one record', async () => {
    await using rig = await startRig({ limits: { headMs: 150 } });
    const client = await rig.client();
    for (const part of ['GET http', '://api.ok.t', 'est/']) {
      client.send(part);
      await sleep(20);
    }
    expect(await client.end()).toMatch(/^HTTP\/1\.1 408 /);
    expect(rig.records()).toMatchObject([{ verdict: 'deny', reason: 'head-timeout', host: 'GET http://api.ok.test/' }]);
  });

  test('a connection that is silent before or between requests is closed', async () => {
    await using rig = await startRig({ upstream: answering(), limits: { keepAliveMs: 150 } });
    const silent = await rig.client();
    const spent = await rig.client();
    spent.send(GET('http://api.ok.test/'));
    expect(await silent.end()).toBe('');
    expect(await spent.end()).toMatch(/ok$/);
    expect(rig.records().filter(({ verdict }) => verdict === 'deny')).toEqual([]);
  });

  test('an idle tunnel is closed', async () => {
    await using rig = await startRig({ limits: { idleMs: 150 } });
    const client = await rig.client();
    client.send(CONNECT('api.ok.test:22'));
    await client.until('hello ');
    await client.end();
    expect(rig.records().at(-1)).toMatchObject({ verdict: 'closed', reason: 'idle' });
  });

  test('a VM with all its connections in use gets an error, with one record, and other VMs are served', async () => {
    await using flooded = await startRig({ limits: { connections: 20 } });
    await using other = await startRig({ upstream: answering() });
    const buffered: Client[] = [];
    for (let count = 0; count < 20; count += 1) {
      const client = await flooded.client();
      client.send(CONNECT('api.ok.test:22'));
      await client.until('hello ');
      buffered.push(client);
    }
    const answers = await Promise.all(Array.from({ length: 50 }, () => flooded.ask('')));
    expect(answers.every((text) => text.startsWith('HTTP/1.1 503 '))).toBe(true);
    const refusals = flooded.records().filter(({ reason }) => reason === 'too-many-connections');
    expect(refusals.length).toBeGreaterThan(0);
    expect(refusals.length).toBeLessThan(10);
    expect(await other.ask(GET('http://api.ok.test/', CLOSE))).toContain('200 OK');
    for (const client of buffered) client.socket.destroy();
    while (flooded.listener.stats.connections > 0) await sleep(5);
    expect(await flooded.ask(GET('http://evil.test/', CLOSE))).toContain('403 Forbidden');
  });

  test('requests above the rate wait, and none is lost', async () => {
    await using rig = await startRig({ limits: { requestsPerSecond: 20 } });
    const began = performance.now();
    const answers = await Promise.all(Array.from({ length: 50 }, () => rig.ask(GET('http://evil.test/', CLOSE))));
    expect(answers.every((text) => text.includes('403 Forbidden'))).toBe(true);
    expect(rig.records()).toHaveLength(50);
    // Two seconds' turns are in the bucket, ten have to wait for 1/20 s each.
    expect(performance.now() - began).toBeGreaterThan(400);
  });

  test('names that do not resolve use at most four of the lookups of the host; further ones wait', async () => {
    const waiting: (() => void)[] = [];
    const seen = { now: 0, most: 0 };
    const resolver = async () => {
      seen.now += 1;
      seen.most = Math.max(seen.most, seen.now);
      await new Promise<void>((resolve) => waiting.push(resolve));
      seen.now -= 1;
      return ['93.184.215.14'];
    };
    await using rig = await startRig({ resolver, upstream: answering() });
    const asked = Array.from({ length: 12 }, (_, index) => rig.ask(GET(`http://n${index}.wild.test/`, CLOSE)));
    while (rig.lookups.length < 4 || rig.listener.stats.connections < 12) await sleep(1);
    for (let done = 0; done < 12; done += 1) {
      while (waiting.length === 0) await sleep(1);
      waiting.shift()?.();
    }
    const answers = await Promise.all(asked);
    expect(answers.every((text) => text.includes('200 OK'))).toBe(true);
    expect(seen.most).toBe(4);
  });

  test('closing the listener ends every connection and removes the socket', async () => {
    const rig = await startRig();
    const client = await rig.client();
    client.send(CONNECT('api.ok.test:22'));
    await client.until('hello ');
    await rig.listener.close();
    await client.end();
    expect(rig.records().at(-1)).toMatchObject({ verdict: 'closed', reason: 'proxy-closed' });
    expect(statSync(rig.socketPath, { throwIfNoEntry: false })).toBeUndefined();
    await rig[Symbol.asyncDispose]();
  });
});

describe('a log that cannot be written', () => {
  test('lets no request out, and the error says why', async () => {
    await using rig = await startRig({ audit: openAudit('/dev/full') });
    for (const request of [GET('http://api.ok.test/', CLOSE), CONNECT('api.ok.test:22')]) {
      const text = await rig.ask(request);
      expect(text).toMatch(/^HTTP\/1\.1 403 /);
      expect(text).toContain('the audit log cannot be written');
    }
    expect(rig.dials).toEqual([]);
    expect(rig.received()).toBe('');
  });

  test('without the control lets requests out', async () => {
    await using rig = await startRig({
      audit: openAudit('/dev/full'),
      enforcement: { audit: false },
      upstream: answering(),
    });
    expect(await rig.ask(GET('http://api.ok.test/', CLOSE))).toMatch(/^HTTP\/1\.1 200 /);
    expect(rig.dials).toHaveLength(1);
  });

  test('lets requests out again once it can be written', async () => {
    let full = true;
    const real = { lines: 0 };
    const audit = {
      ready: () => !full,
      write: () => {
        if (!full) real.lines += 1;
        return !full;
      },
      close: () => {},
    };
    await using rig = await startRig({ audit, upstream: answering() });
    expect(await rig.ask(GET('http://api.ok.test/', CLOSE))).toContain('403 Forbidden');
    full = false;
    expect(await rig.ask(GET('http://api.ok.test/', CLOSE))).toContain('200 OK');
    expect(real.lines).toBe(2);
  });
});

describe('what a guest writes into the log', () => {
  test.each([
    ['CRLF and ESC', 'GET http://evil.test/\r\n\x1b[31mfake: 1\r\n\r\n'],
    ['bad UTF-8', 'GET http://evil.test/\xff\xfe HTTP/1.1\r\n\r\n'],
    ['a long path', GET(`http://evil.test/${'a'.repeat(60_000)}`)],
    ['a head of 1 MB', `GET http://evil.test/${'a'.repeat(1 << 20)} HTTP/1.1\r\n\r\n`],
    ['quotes', 'GET http://e"vil.test/{"verdict":"allow"} HTTP/1.1\r\n\r\n'],
  ])('is one short line of ASCII: %s', async (_name, bytes) => {
    await using rig = await startRig();
    const client = await rig.client();
    client.send(bytes);
    await client.until('\r\n\r\n');
    const lines = rig.records().map((record) => JSON.stringify(record));
    expect(lines).toHaveLength(1);
    expect(lines[0]?.length).toBeLessThan(4_096);
    expect(lines[0]).toMatch(/^[\x20-\x7e]*$|…/);
    expect(rig.records()[0]?.verdict).toBe('deny');
  });
});
