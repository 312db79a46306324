import { createSecureContext, createServer } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { createAuthority } from '../../../../lib/gateway/tls/authority.ts';
import { createDialer } from '../../../../lib/gateway/upstream/dial.ts';
import { systemResolver } from '../../../../lib/gateway/upstream/resolver.ts';
import { helloBytes } from '../../../unit/gateway/tls/hello-bytes.ts';
import { HTTP_POLICY, handshake, mirror, openTunnel, request } from '../proxy/intercept-rig.ts';
import { answering, CONNECT, clientOf, GET, startRig, startUpstream } from '../rig.ts';

const NEVER = new AbortController().signal;

describe('dialling', () => {
  test('tries the next checked address when one does not answer', async () => {
    const upstream = await startUpstream(answering());
    try {
      const target = {
        host: 'h.test',
        port: upstream.port,
        purpose: 'tunnel',
        addresses: ['::1', '127.0.0.1'],
      } as const;
      const { socket, address } = await createDialer().dial({ ...target, addresses: [...target.addresses] }, NEVER);
      expect([address, socket.remoteAddress]).toEqual(['127.0.0.1', '127.0.0.1']);
      socket.destroy();
    } finally {
      await upstream.close();
    }
  });

  test('fails when no address answers, and when it is aborted', async () => {
    const dead = await startUpstream(() => {});
    await dead.close();
    const target = { host: 'h.test', port: dead.port, purpose: 'tunnel', addresses: ['127.0.0.1'] } as const;
    await expect(createDialer().dial({ ...target, addresses: ['127.0.0.1'] }, NEVER)).rejects.toThrow('ECONNREFUSED');
    const cancelled = AbortSignal.abort();
    await expect(createDialer().dial({ ...target, addresses: ['127.0.0.1'] }, cancelled)).rejects.toThrow('cancelled');
  });

  test('reports a closed port rather than an address without a route, in either order', async () => {
    const dead = await startUpstream(() => {});
    await dead.close();
    const target = { host: 'h.test', port: dead.port, purpose: 'tunnel' } as const;
    // TCP connects to no multicast address.
    for (const addresses of [
      ['127.0.0.1', '224.0.0.1'],
      ['224.0.0.1', '127.0.0.1'],
    ])
      await expect(createDialer().dial({ ...target, addresses }, NEVER)).rejects.toThrow('ECONNREFUSED');
    await expect(createDialer().dial({ ...target, addresses: ['224.0.0.1'] }, NEVER)).rejects.not.toThrow(
      'ECONNREFUSED',
    );
  });

  test('uses a resolver that knows localhost and the addresses of the host, and can be aborted', async () => {
    const resolver = systemResolver();
    expect(await resolver.resolve('localhost', NEVER)).toContain('127.0.0.1');
    expect(resolver.ownAddresses()).toContain('127.0.0.1');
    // Not asked for again with every request.
    expect(resolver.ownAddresses()).toBe(resolver.ownAddresses());
    await expect(resolver.resolve('localhost', AbortSignal.abort())).rejects.toThrow();
  });
});

describe('the proxy of the host', () => {
  const through = (port: number) =>
    createDialer({
      https: { host: '127.0.0.1', port, authorization: 'Basic aG9zdA==' },
      http: { host: '127.0.0.1', port, authorization: undefined },
    });

  test('is asked for a tunnel by name, and nothing is looked up here', async () => {
    await using rig = await startRig({
      dialer: through,
      upstream: (socket) => {
        socket.once('data', () => {
          socket.write('HTTP/1.1 200 OK\r\nVia: x\r\n\r\nfirst words ');
          socket.pipe(socket);
        });
      },
    });
    const client = await rig.client();
    client.send(Buffer.concat([Buffer.from(CONNECT('api.ok.test:443')), helloBytes({ sni: 'api.ok.test' })]));
    const text = await client.until('first words \x16\x03');
    expect(text).not.toContain('Via');
    expect(rig.lookups).toEqual([]);
    const asked =
      'CONNECT api.ok.test:443 HTTP/1.1\r\nHost: api.ok.test:443\r\nProxy-Authorization: Basic aG9zdA==\r\n\r\n';
    expect(rig.received().startsWith(`${asked}\x16`)).toBe(true);
    expect(await rig.ask(CONNECT('evil.test:443'))).toContain('403 Forbidden');
  });

  test.each(['127.0.0.1', 'localhost'])(
    'that is dead at %s does not look like a closed port of the target',
    async (host) => {
      const dead = await startUpstream(() => {});
      await dead.close();
      const proxy = { host, port: dead.port, authorization: undefined };
      await using rig = await startRig({ dialer: () => createDialer({ https: proxy, http: proxy }) });
      const client = await rig.client();
      client.send(CONNECT('api.ok.test:22', 'Sbx-Explain: inside\r\n') + GET('/'));
      // Accepted, then explained: a 502 at once would be refused as the target's port.
      expect(await client.end()).toMatch(
        /^HTTP\/1\.1 200 [\s\S]*HTTP\/1\.1 502 [\s\S]*the host's proxy \S+ could not be reached: \S*\s?ECONNREFUSED/,
      );
    },
  );

  test('gets a plain request in absolute form', async () => {
    await using rig = await startRig({ dialer: through, upstream: answering() });
    expect(await rig.ask(GET('http://api.ok.test/x', 'Connection: close\r\n'))).toContain('200 OK');
    expect(rig.received()).toBe('GET http://api.ok.test/x HTTP/1.1\r\nHost: api.ok.test\r\nConnection: close\r\n\r\n');
  });

  test('carries intercepted requests as well, to the verified name', async () => {
    const [authority, theirs] = await Promise.all([createAuthority(), createAuthority()]);
    const server = createServer({
      SNICallback: (host, done) =>
        void theirs.contextFor({ host, kind: 'name' }).then((made) => done(null, made), done),
    }).on('secureConnection', mirror);
    await using rig = await startRig({
      policy: HTTP_POLICY,
      authority,
      trust: createSecureContext({ ca: theirs.pem }),
      dialer: through,
      upstream: (socket) =>
        void socket.once('data', () => {
          socket.write('HTTP/1.1 200 OK\r\n\r\n');
          server.emit('connection', socket);
        }),
    });
    const tunnel = await openTunnel(rig, 'api.ok.test');
    const inner = clientOf(await handshake(tunnel.socket, { ca: authority.pem, servername: 'api.ok.test' }));
    inner.send(request('/v1/a'));
    await inner.until('GET /v1/a HTTP/1.1');
    inner.send(request('/v2/a'));
    await inner.until('403 Forbidden');
    expect(rig.received()).toMatch(/^CONNECT api\.ok\.test:443 HTTP\/1\.1\r\n/);
    expect(rig.lookups).toEqual([]);
  });

  test('is verified before it gets a request when it uses TLS', async () => {
    const [theirs, stranger] = await Promise.all([createAuthority(), createAuthority()]);
    const asked: string[] = [];
    const server = createServer(
      {
        SNICallback: (host, done) =>
          void theirs.contextFor({ host, kind: 'name' }).then((made) => done(null, made), done),
      },
      (socket) =>
        void socket.once('data', (bytes: Buffer) => {
          asked.push(bytes.toString());
          socket.write('HTTP/1.1 200 OK\r\n\r\nhi');
        }),
    );
    server.on('tlsClientError', () => {});
    for (const [ca, answer] of [
      [stranger.pem, '502 Bad Gateway'],
      [theirs.pem, 'hi'],
    ] as const) {
      await using rig = await startRig({
        dialer: (port) =>
          createDialer({ https: { host: 'localhost', port, secure: true, authorization: undefined } }, () =>
            createSecureContext({ ca }),
          ),
        upstream: (socket) => void server.emit('connection', socket),
      });
      const client = await rig.client();
      client.send(CONNECT('api.ok.test:22'));
      await client.until(answer);
    }
    expect(asked).toEqual(['CONNECT api.ok.test:22 HTTP/1.1\r\nHost: api.ok.test:22\r\n\r\n']);
  });

  test('is asked for a literal address as it is, after the usual check', async () => {
    const policy = {
      allow: [{ pattern: '0.0.0.0/0:22' }, { pattern: '10.0.0.0/8:22' }],
      deny: [{ pattern: '10.9.0.0/16' }],
    };
    await using rig = await startRig({ policy, dialer: through, upstream: answering('HTTP/1.1 200 OK\r\n\r\nhi') });
    expect(await rig.ask(CONNECT('192.168.1.1:22'))).toContain('403 Forbidden');
    expect(await rig.ask(CONNECT('10.9.1.1:22'))).toContain('403 Forbidden');
    const client = await rig.client();
    client.send(CONNECT('10.1.1.1:22'));
    await client.until('hi');
    expect(rig.received()).toContain('CONNECT 10.1.1.1:22 ');
  });

  test.each([
    ['refuses', 'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n'],
    ['sends malformed bytes', 'nonsense\r\n\r\n'],
    ['disconnects', ''],
  ])('gives a 502 when it %s', async (_what, response) => {
    await using rig = await startRig({
      dialer: through,
      upstream: (socket) => void socket.once('data', () => socket.end(response)),
    });
    expect(await rig.ask(CONNECT('api.ok.test:22'))).toMatch(/^HTTP\/1\.1 502 /);
    expect(rig.records().at(-1)).toMatchObject({ verdict: 'error', reason: 'upstream-failed' });
  });
});
