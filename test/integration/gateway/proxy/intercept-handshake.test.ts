import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { helloBytes } from '../../../unit/gateway/tls/hello-bytes.ts';
import { CONNECT } from '../rig.ts';
import { handshake, openTunnel, request, startIntercept } from './intercept-rig.ts';

describe('a TLS handshake in an intercepted tunnel', () => {
  test.each([
    ['28 an SSH banner', 'SSH-2.0-OpenSSH_9.2p1\r\n'],
    ['28 plain HTTP to the port of HTTPS', request('/v1/a')],
    ['21 another server name', helloBytes({ sni: 'evil.test' })],
    ['23 no server name', helloBytes({})],
  ])('%s: the tunnel is closed and nothing is dialled', async (_name, bytes) => {
    await using one = await startIntercept();
    const client = await one.rig.client();
    client.send(CONNECT('api.ok.test:443'));
    client.send(bytes);
    await client.end();
    expect(one.rig.dials).toEqual([]);
    expect(one.rig.records()).toMatchObject([{ verdict: 'deny', reason: 'server-name', host: 'api.ok.test' }]);
  });

  test('the handshake negotiates HTTP/1.1, never HTTP/2', async () => {
    await using one = await startIntercept();
    const client = await one.inside();
    expect((client.socket as TLSSocket).alpnProtocol).toBe('http/1.1');
  });

  test('a client that offers only HTTP/2 is rejected in the handshake and recorded', async () => {
    await using one = await startIntercept();
    const client = await openTunnel(one.rig, 'api.ok.test');
    const secure = connect({
      socket: client.socket,
      ca: one.authority.pem,
      servername: 'api.ok.test',
      ALPNProtocols: ['h2'],
    });
    await new Promise((resolve) => secure.once('error', resolve));
    client.socket.destroy();
    while (one.rig.records().length === 0) await sleep(5);
    expect(one.rig.records()).toMatchObject([{ verdict: 'error', reason: 'client-tls', host: 'api.ok.test' }]);
    expect(one.rig.dials).toEqual([]);
  });

  test('a client that does not trust the certificate is recorded, and nothing is dialled', async () => {
    await using one = await startIntercept();
    const client = await openTunnel(one.rig, 'api.ok.test');
    await expect(handshake(client.socket, { servername: 'api.ok.test' })).rejects.toThrow(/certificate/);
    client.socket.destroy();
    while (one.rig.records().length === 0) await sleep(5);
    expect(one.rig.records()).toMatchObject([{ verdict: 'error', reason: 'client-tls', host: 'api.ok.test' }]);
    expect(one.rig.dials).toEqual([]);
  });
});

describe('the certificate of the upstream', () => {
  test.each([
    ['of another host', { certified: 'other.test' }],
    ['of an untrusted authority', { untrusted: true }],
  ])('%s: the request is not sent', async (_name, options) => {
    await using one = await startIntercept(options);
    const client = await one.inside();
    client.send(request('/v1/a', 'X-Secret: abc\r\nConnection: close\r\n'));
    expect(await client.end()).toMatch(/^HTTP\/1\.1 502 [\s\S]*could not be reached/);
    expect(one.received()).toBe('');
    expect(one.rig.records().at(-1)).toMatchObject({ verdict: 'error', reason: 'upstream-failed' });
    await using off = await startIntercept({ ...options, enforcement: { upstreamCertificate: false } });
    const deceived = await off.inside();
    deceived.send(request('/v1/a', 'X-Secret: abc\r\n'));
    await deceived.until('GET /v1/a HTTP/1.1');
    expect(off.received()).toContain('X-Secret: abc');
  });
});
