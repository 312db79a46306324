import { createHash, randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { extension, helloBytes } from '../../../unit/gateway/tls/hello-bytes.ts';
import { CONNECT, PUBLIC, rule, startRig } from '../rig.ts';

const HELLO = helloBytes({ sni: 'api.ok.test' });

describe('a tunnel', () => {
  test('to an allowed name is resolved once under its canonical name, dialled at the checked address, and recorded at its start and end', async () => {
    await using rig = await startRig();
    const client = await rig.client();
    client.send(CONNECT('API.OK.TEST.:443'));
    await client.until('\r\n\r\n');
    expect(rig.dials).toEqual([]);
    client.send(HELLO);
    await client.until(`hello ${HELLO.toString('latin1')}`);
    const bytes = { bytesUp: HELLO.length, bytesDown: HELLO.length + 6 };
    // Before its end as after it.
    expect(rig.listener.stats).toMatchObject({ connections: 1, active: 1, allowed: 1, ...bytes });
    client.socket.end();
    await client.end();
    expect(rig.listener.stats).toMatchObject({ active: 0, allowed: 1, ...bytes });
    expect(rig.lookups).toEqual(['api.ok.test']);
    expect(rig.dials).toEqual([`${PUBLIC}:443`]);
    const [allow, closed] = rig.records();
    expect(allow).toMatchObject({
      sandbox: 'box',
      verdict: 'allow',
      reason: 'rule',
      host: 'api.ok.test',
      port: 443,
      method: 'CONNECT',
      address: PUBLIC,
      rule: { text: 'api.ok.test:443', file: '/p/sandbox.toml', line: 7 },
    });
    expect(closed).toMatchObject({
      verdict: 'closed',
      reason: 'rule',
      address: PUBLIC,
      ...bytes,
    });
    expect(rig.records()).toHaveLength(2);
  });

  test('accepts a ClientHello that comes with CONNECT, in a few segments or records, and a server name in any case', async () => {
    for (const hello of [
      HELLO,
      helloBytes({ sni: 'API.ok.TEST' }),
      helloBytes({ sni: 'api.ok.test', recordSize: 20 }),
    ]) {
      await using rig = await startRig();
      const client = await rig.client();
      client.send(Buffer.concat([Buffer.from(CONNECT('api.ok.test:443')), hello.subarray(0, 30)]));
      await client.until('\r\n\r\n');
      client.send(hello.subarray(30));
      await client.until(hello.toString('latin1'));
      expect(rig.received()).toBe(hello.toString('latin1'));
    }
  });

  test('accepts a ClientHello with GREASE, with ECH beside the server name, and with a trailing dot', async () => {
    const grease = extension(0x2a2a, Buffer.from('x'));
    for (const hello of [
      helloBytes({ sni: 'api.ok.test', more: [grease, extension(0xfe0d, Buffer.alloc(40, 1))] }),
      helloBytes({ sni: 'API.ok.test.' }),
    ]) {
      await using rig = await startRig();
      const client = await rig.client();
      client.send(Buffer.concat([Buffer.from(CONNECT('api.ok.test:443')), hello]));
      await client.until(hello.toString('latin1'));
    }
  });

  test('rejects a ClientHello in one-byte segments', async () => {
    await using rig = await startRig();
    const client = await rig.client();
    client.send(CONNECT('api.ok.test:443'));
    await client.until('\r\n\r\n');
    for (const byte of HELLO) {
      client.send(Buffer.from([byte]));
      await sleep(2);
    }
    await client.end();
    expect(rig.dials).toEqual([]);
    expect(rig.records()).toMatchObject([{ verdict: 'deny', reason: 'server-name' }]);
  });

  test('on another port needs no TLS and lets the server speak first, but TLS to another name is cut', async () => {
    await using rig = await startRig();
    const ssh = await rig.client();
    ssh.send(CONNECT('api.ok.test:22'));
    await ssh.until('hello ');
    ssh.send('SSH-2.0-x\r\n');
    await ssh.until('SSH-2.0-x');
    const fronting = await rig.client();
    fronting.send(CONNECT('api.ok.test:22'));
    await fronting.until('hello ');
    fronting.send(helloBytes({ sni: 'evil.test' }));
    await fronting.end();
    expect(rig.received()).toBe('SSH-2.0-x\r\n');
    expect(rig.records().at(-1)).toMatchObject({ verdict: 'closed', reason: 'server-name' });
  });

  test('makes exactly one lookup, even when a second one would give another address', async () => {
    let count = 0;
    await using rig = await startRig({ resolver: async () => [count++ === 0 ? PUBLIC : '127.0.0.1'] });
    const client = await rig.client();
    client.send(Buffer.concat([Buffer.from(CONNECT('api.ok.test:443')), HELLO]));
    await client.until('hello ');
    expect(rig.lookups).toEqual(['api.ok.test']);
    expect(rig.dials).toEqual([`${PUBLIC}:443`]);
  });

  test('reaches a private address by an explicit rule or one from the host configuration', async () => {
    const policies = [
      { allow: [rule('db.test:443'), rule('10.0.0.0/8:443')], deny: [] },
      { allow: [rule('db.test:443', { trusted: true })], deny: [] },
    ];
    for (const policy of policies) {
      await using rig = await startRig({ policy, addresses: { 'db.test': ['10.1.2.3'] } });
      const client = await rig.client();
      client.send(Buffer.concat([Buffer.from(CONNECT('db.test:443')), helloBytes({ sni: 'db.test' })]));
      await client.until('hello ');
      expect(rig.dials).toEqual(['10.1.2.3:443']);
    }
  });

  test('buffers up to 64 KiB before the verdict, then closes the connection', async () => {
    let decide: (addresses: string[]) => void = () => {};
    const resolver = (_host: string, signal: AbortSignal) =>
      new Promise<string[]>((resolve, reject) => {
        decide = resolve;
        signal.addEventListener('abort', () => reject(new Error('cancelled')));
      });
    await using rig = await startRig({ resolver });
    const patient = await rig.client();
    patient.send(CONNECT('api.ok.test:22') + 'x'.repeat(60_000));
    while (rig.lookups.length === 0) await sleep(1);
    decide([PUBLIC]);
    await patient.until('x'.repeat(60_000));
    const flooding = await rig.client();
    flooding.send(CONNECT('api.ok.test:22') + 'x'.repeat(200_000));
    expect(await flooding.end()).toBe('');
    expect(rig.dials).toHaveLength(1);
    expect(rig.records().at(-1)).toMatchObject({ verdict: 'deny', reason: 'early-data' });
  });

  test('gets a 502 for an unreachable upstream and for a name without addresses', async () => {
    const dialer = () => ({
      resolves: () => false,
      dial: () => Promise.reject(new Error('connect ECONNREFUSED')),
    });
    await using rig = await startRig({ dialer });
    expect(await rig.ask(CONNECT('api.ok.test:22'))).toMatch(/^HTTP\/1\.1 502 [\s\S]*ECONNREFUSED/);
    expect(rig.records().map(({ verdict, reason }) => [verdict, reason])).toEqual([
      ['allow', 'rule'],
      ['error', 'upstream-failed'],
    ]);
    await using lost = await startRig({ resolver: () => Promise.reject(new Error('ENOTFOUND')) });
    expect(await lost.ask(CONNECT('api.ok.test:22'))).toMatch(/^HTTP\/1\.1 502 /);
    expect(lost.records()).toMatchObject([{ verdict: 'error', reason: 'unresolved' }]);
  });

  test('delivers the last bytes of a client that disconnects, also when the upstream has already ended its side', async () => {
    const size = { now: 0 };
    let ended = () => {};
    const whole = new Promise<void>((resolve) => {
      ended = resolve;
    });
    await using rig = await startRig({
      upstream(socket) {
        socket.end();
        socket.pause();
        setTimeout(() => socket.resume(), 100);
        socket.on('data', (chunk: Buffer) => {
          size.now += chunk.length;
        });
        socket.on('end', ended);
      },
    });
    const client = await rig.client();
    client.send(CONNECT('api.ok.test:22'));
    await client.until('\r\n\r\n');
    await send(client.socket, Buffer.alloc(1 << 20), 8);
    await whole;
    expect(size.now).toBe(8 << 20);
  });

  test('carries 64 MB in both directions, at the speed of the slower side', async () => {
    const piece = randomBytes(1 << 20);
    const sink = createHash('sha256');
    const bytes = { up: 0, down: 0 };
    const serve = (socket: Socket) => {
      socket.on('data', (chunk: Buffer) => {
        bytes.up += chunk.length;
        sink.update(chunk);
      });
      socket.on('end', () => void send(socket, piece, 64));
    };
    await using rig = await startRig({ upstream: serve });
    const client = await rig.client();
    client.send(CONNECT('api.ok.test:22'));
    const head = (await client.until('\r\n\r\n')).length;
    client.socket.removeAllListeners('data');
    const echo = createHash('sha256');
    client.socket.on('data', (chunk: Buffer) => {
      bytes.down += chunk.length;
      echo.update(chunk);
    });
    await send(client.socket, piece, 64);
    await client.end();
    const wanted = createHash('sha256');
    for (let count = 0; count < 64; count += 1) wanted.update(piece);
    const digest = wanted.digest('hex');
    expect([sink.digest('hex'), echo.digest('hex')]).toEqual([digest, digest]);
    expect(bytes).toEqual({ up: 64 << 20, down: 64 << 20 });
    expect(head).toBeGreaterThan(0);
  });
});

async function send(socket: Socket, piece: Buffer, times: number): Promise<void> {
  for (let count = 0; count < times; count += 1)
    if (!socket.write(piece)) await new Promise<void>((resolve) => socket.once('drain', resolve));
  socket.end();
}
