import { createServer, type TLSSocket } from 'node:tls';
import { expect, test } from 'vitest';
import { createAuthority } from '../../../../lib/gateway/tls/authority.ts';
import { helloBytes } from '../../../unit/gateway/tls/hello-bytes.ts';
import { handshake, openTunnel } from '../proxy/intercept-rig.ts';
import { type Client, CONNECT, clientOf, type Rig, startRig } from '../rig.ts';

const FIRST = helloBytes({ sni: 'api.ok.test' });
const OTHER = helloBytes({ sni: 'evil.test' });
const CIPHERS_CHANGED = Buffer.from([20, 3, 3, 0, 1, 1]);
const EARLY_DATA = Buffer.from([23, 3, 3, 0, 3, 1, 2, 3]);
/** The head of an answer that asks for a second hello */
const RETRY = Buffer.concat([
  Buffer.from([22, 3, 3, 0, 56, 2, 0, 0, 52, 3, 3]),
  Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex'),
  Buffer.alloc(18),
]);

/** The first hello is answered so that a second one must follow. */
async function retried(rig: Rig): Promise<Client> {
  const client = await rig.client();
  client.send(Buffer.concat([Buffer.from(CONNECT('api.ok.test:443')), FIRST]));
  await client.until(RETRY.toString('latin1'));
  return client;
}

const asking = (socket: import('node:net').Socket) => void socket.once('data', () => socket.write(RETRY));

test.each([
  ['at once', OTHER],
  ['behind a change of ciphers', Buffer.concat([CIPHERS_CHANGED, OTHER])],
  ['behind early data', Buffer.concat([EARLY_DATA, CIPHERS_CHANGED, OTHER])],
  ['in small records', helloBytes({ sni: 'evil.test', recordSize: 9 })],
  ['that is missing', helloBytes({})],
])(
  '21 another server name in the second ClientHello, %s: the connection is closed before it arrives',
  async (_name, bytes) => {
    await using rig = await startRig({ upstream: asking });
    const client = await retried(rig);
    client.send(bytes);
    await client.end();
    expect(rig.received()).not.toContain('evil.test');
    expect(rig.records().at(-1)).toMatchObject({ verdict: 'closed', reason: 'server-name' });
  },
);

test('21 a second ClientHello with another server name, sent without waiting for the server, does not arrive', async () => {
  await using rig = await startRig({ upstream: asking });
  const client = await rig.client();
  client.send(Buffer.concat([Buffer.from(CONNECT('api.ok.test:443')), FIRST, OTHER]));
  await client.end();
  expect(rig.received()).toBe('');
  expect(rig.records().at(-1)).toMatchObject({ verdict: 'closed', reason: 'server-name' });
});

test('without the control, another server name arrives', async () => {
  await using rig = await startRig({ upstream: asking, enforcement: { serverName: false } });
  const client = await retried(rig);
  client.send(OTHER);
  while (!rig.received().includes('evil.test')) await new Promise((resolve) => setImmediate(resolve));
});

test('a second ClientHello with the same name is passed on, and later bytes are not parsed', async () => {
  await using rig = await startRig({
    upstream: (socket) =>
      void socket.once('data', () => {
        socket.write(RETRY);
        socket.pipe(socket);
      }),
  });
  const client = await retried(rig);
  client.send(Buffer.concat([CIPHERS_CHANGED, helloBytes({ sni: 'API.ok.test.', recordSize: 30 }), OTHER]));
  await client.until(OTHER.toString('latin1'));
});

test('a server that sends HelloRetryRequest and one that does not are both reached', async () => {
  const authority = await createAuthority();
  for (const [ecdhCurve, size] of [
    // A curve that the client brought no key of: the server asks again.
    ['P-384', 384],
    ['X25519', 253],
  ] as const) {
    const server = createServer({
      ecdhCurve,
      SNICallback: (host, done) =>
        void authority.contextFor({ host, kind: 'name' }).then((made) => done(null, made), done),
    });
    server.on('secureConnection', (socket) => void socket.on('error', () => {}).pipe(socket));
    await using rig = await startRig({ upstream: (socket) => void server.emit('connection', socket) });
    const tunnel = await openTunnel(rig, 'api.ok.test');
    const inner = clientOf(await handshake(tunnel.socket, { ca: authority.pem, servername: 'api.ok.test' }));
    inner.send('hello inside');
    await inner.until('hello inside');
    expect((inner.socket as TLSSocket).getEphemeralKeyInfo()).toMatchObject({ size });
    inner.socket.destroy();
  }
});
