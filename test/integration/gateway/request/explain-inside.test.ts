import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { helloBytes } from '../../../unit/gateway/tls/hello-bytes.ts';
import { handshake, request, startIntercept } from '../proxy/intercept-rig.ts';
import { CONNECT, clientOf, POLICY } from '../rig.ts';

const INSIDE = 'Sbx-Explain: inside\r\n';
const OK = 'HTTP/1.1 200 Connection established\r\n\r\n';

async function denied(authority: string, options = {}) {
  const one = await startIntercept(options);
  const client = await one.rig.client();
  client.send(CONNECT(authority, INSIDE));
  await client.until(OK);
  return { one, client };
}

describe('a denial for a program without proxy support', () => {
  test('is explained inside TLS, with a certificate for the requested name', async () => {
    const { one, client } = await denied('evil.test:443');
    await using _ = one;
    client.socket.removeAllListeners('data');
    const inner = clientOf(await handshake(client.socket, { ca: one.authority.pem, servername: 'evil.test' }));
    inner.send(request('/x', '', 'evil.test'));
    expect(await inner.end()).toMatch(/^HTTP\/1\.1 403 [\s\S]*evil\.test:443 is denied[\s\S]*sbx net allow evil\.test/);
    expect([one.rig.dials, one.rig.lookups]).toEqual([[], []]);
    expect(one.rig.records()).toMatchObject([{ verdict: 'deny', reason: 'default-deny', host: 'evil.test' }]);
  });

  test('is explained in plain HTTP', async () => {
    const { one, client } = await denied('evil.test:80');
    await using _ = one;
    client.send(request('/x', '', 'evil.test'));
    expect(await client.end()).toMatch(/HTTP\/1\.1 403 Forbidden[\s\S]*evil\.test:80 is denied/);
    expect([one.rig.dials, one.rig.lookups]).toEqual([[], []]);
  });

  test.each([
    ['another protocol', 'SSH-2.0-OpenSSH_9.2p1\r\n'],
    ['bytes', '\x00\x01\x02'],
    ['a broken hello', '\x16\x03\x01\x00\x05hello'],
    ['half a request', 'GET / HTTP/1.1\r\n'],
    ['capital letters', 'A'.repeat(100_000)],
  ])('closes the connection of a client that sends %s', async (_name, bytes) => {
    const { one, client } = await denied('evil.test:443', { limits: { headMs: 200 } });
    await using _ = one;
    client.send(bytes);
    const text = await client.end();
    // To TLS the end is an alert.
    expect(text.split('\x15\x03')[0]).toBe(OK);
    expect([one.rig.dials, one.rig.lookups]).toEqual([[], []]);
  });

  test('closes the connection of a client that waits for the server', async () => {
    const { one, client } = await denied('evil.test:22');
    await using _ = one;
    expect(await client.end()).toBe(OK);
  });

  test.each([80, 443])('is explained to a slow client on port %i, where clients speak first', async (port) => {
    const { one, client } = await denied(`evil.test:${port}`);
    await using _ = one;
    // Longer than a client on another port may take
    await sleep(3_300);
    client.send(request('/x', '', 'evil.test'));
    expect(await client.end()).toContain(`evil.test:${port} is denied`);
  });

  test('is explained on another port to a client that needs a moment to connect', async () => {
    const { one, client } = await denied('evil.test:8080');
    await using _ = one;
    await sleep(1_300);
    client.send(request('/x', '', 'evil.test'));
    expect(await client.end()).toContain('evil.test:8080 is denied');
  });

  test('makes no more signatures a second for a hostile guest than the limit', async () => {
    await using one = await startIntercept({ limits: { explanationsPerSecond: 1 } });
    const tries = Array.from({ length: 8 }, async (_, index) => {
      const client = await one.rig.client();
      client.send(CONNECT(`n${index}.evil.test:443`, INSIDE));
      await client.until(OK);
      client.socket.removeAllListeners('data');
      return handshake(client.socket, { ca: one.authority.pem, servername: `n${index}.evil.test` }).then(
        () => 'told',
        () => 'ended',
      );
    });
    const ends = await Promise.all(tries);
    expect(ends.filter((end) => end === 'told').length).toBeLessThanOrEqual(3);
    expect(ends.filter((end) => end === 'ended').length).toBeGreaterThanOrEqual(5);
  });

  test('does not hide that a port of an allowed host is closed', async () => {
    const refuse = () => Promise.reject(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }));
    const dialer = () => ({ resolves: () => false, dial: refuse });
    await using one = await startIntercept({ dialer, policy: POLICY });
    expect(await one.rig.ask(CONNECT('api.ok.test:22', INSIDE))).toMatch(/^HTTP\/1\.1 502 [\s\S]*ECONNREFUSED/);
    // With TLS, the server name decides before anything is dialled: the tunnel is open already.
    const client = await one.rig.client();
    client.send(CONNECT('api.ok.test:443', INSIDE));
    await client.until(OK);
    client.socket.removeAllListeners('data');
    const inner = clientOf(await handshake(client.socket, { ca: one.authority.pem, servername: 'api.ok.test' }));
    inner.send(request('/v1/a'));
    expect(await inner.end()).toMatch(/^HTTP\/1\.1 502 [\s\S]*ECONNREFUSED/);
    const silent = await one.rig.client();
    silent.send(Buffer.concat([Buffer.from(CONNECT('api.ok.test:443')), helloBytes({ sni: 'api.ok.test' })]));
    expect(await silent.end()).toBe(OK);
  });

  test('is given inside for a host that does not answer at all', async () => {
    const dialer = () => ({ resolves: () => false, dial: () => Promise.reject(new Error('no answer in time')) });
    await using one = await startIntercept({ dialer, policy: POLICY });
    const client = await one.rig.client();
    client.send(CONNECT('api.ok.test:22', INSIDE) + request('/'));
    expect(await client.end()).toMatch(/^HTTP\/1\.1 200 [\s\S]*HTTP\/1\.1 502 [\s\S]*no answer in time/);
  });

  test('does not affect an allowed host', async () => {
    await using one = await startIntercept();
    const client = await one.rig.client();
    client.send(CONNECT('api.ok.test:443', INSIDE));
    await client.until(OK);
    client.socket.removeAllListeners('data');
    const inner = clientOf(await handshake(client.socket, { ca: one.authority.pem, servername: 'api.ok.test' }));
    inner.send(request('/v1/a'));
    await inner.until('GET /v1/a HTTP/1.1');
  });
});
