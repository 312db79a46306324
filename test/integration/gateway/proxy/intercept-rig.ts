/** A listener that intercepts, an upstream with TLS and a certificate of its own authority, and clients inside of tunnels. */
import type { AddressInfo, Socket } from 'node:net';
import { connect, createSecureContext, createServer, type TLSSocket } from 'node:tls';
import type { PolicyInput } from '../../../../lib/gateway/policy/types.ts';
import { type Authority, createAuthority } from '../../../../lib/gateway/tls/authority.ts';
import { type Client, CONNECT, clientOf, fakeDialer, POLICY, type Rig, type RigOptions, startRig } from '../rig.ts';

/** The policy of the cases with their path rules. */
export const HTTP_POLICY: PolicyInput = {
  ...POLICY,
  http: [{ host: 'api.ok.test', methods: ['GET', 'POST'], paths: ['/v1/**'], file: '/p/sandbox.toml', line: 12 }],
};

export interface InterceptOptions extends RigOptions {
  /** Serves each connection inside TLS; default: answers every request with its own head and body */
  serve?: (socket: Socket) => void;
  /** Name in the upstream's certificate; default: what it is asked for */
  certified?: string;
  /** The upstream's certificates are of an authority that the listener does not trust */
  untrusted?: boolean;
}

export interface InterceptRig extends AsyncDisposable {
  rig: Rig;
  authority: Authority;
  /** Trusted by the listener and by no client */
  upstreamCa: string;
  /** All that the upstream received inside TLS */
  received(): string;
  /** TLS connections that the upstream saw */
  connections(): number;
  /** A client inside a tunnel to `host:port` */
  inside(host?: string, port?: number): Promise<Client>;
}

let authorities: Promise<[Authority, Authority, Authority]> | undefined;

export async function startIntercept(options: InterceptOptions = {}): Promise<InterceptRig> {
  authorities ??= Promise.all([createAuthority(), createAuthority(), createAuthority()]);
  const [authority, upstreamAuthority, stranger] = await authorities;
  const upstream = await startTls(options, options.untrusted === true ? stranger : upstreamAuthority);
  const dials: string[] = [];
  const rig = await startRig({
    policy: HTTP_POLICY,
    authority,
    trust: createSecureContext({ ca: upstreamAuthority.pem }),
    dialer: () => fakeDialer(upstream.port, dials),
    dials,
    ...options,
  });
  const clients = new Set<Client>();
  return {
    rig,
    authority,
    upstreamCa: upstreamAuthority.pem,
    received: () => upstream.received.join(''),
    connections: () => upstream.seen.count,
    async inside(host = 'api.ok.test', port = 443) {
      const client = await openTunnel(rig, host, port);
      const inner = clientOf(await handshake(client.socket, { ca: authority.pem, servername: host }));
      clients.add(inner);
      return inner;
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.socket.destroy();
      await rig[Symbol.asyncDispose]();
      await upstream.close();
    },
  };
}

export async function openTunnel(rig: Rig, host: string, port = 443): Promise<Client> {
  const client = await rig.client();
  client.send(CONNECT(`${host}:${port}`));
  await client.until('200 Connection established\r\n\r\n');
  client.socket.removeAllListeners('data');
  return client;
}

export function handshake(socket: Socket, options: { ca?: string; servername: string }): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const secure = connect({ socket, ALPNProtocols: ['h2', 'http/1.1'], ...options });
    secure.once('error', reject);
    secure.once('secureConnect', () => {
      secure.off('error', reject);
      resolve(secure);
    });
  });
}

async function startTls(options: InterceptOptions, authority: Authority) {
  const received: string[] = [];
  const sockets = new Set<Socket>();
  const seen = { count: 0 };
  const server = createServer(
    {
      ALPNProtocols: ['http/1.1'],
      SNICallback(name, done) {
        const host = { host: options.certified ?? name, kind: 'name' } as const;
        authority.contextFor(host).then((context) => done(null, context), done);
      },
    },
    (socket) => {
      seen.count += 1;
      socket.on('error', () => socket.destroy());
      socket.on('data', (bytes: Buffer) => received.push(bytes.toString('latin1')));
      (options.serve ?? mirror)(socket);
    },
  );
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    received,
    seen,
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Answers each request without a body with the first line of it. */
export function mirror(socket: Socket): void {
  let buffered = '';
  socket.on('data', (bytes: Buffer) => {
    buffered += bytes.toString('latin1');
    for (let end = buffered.indexOf('\r\n\r\n'); end >= 0; end = buffered.indexOf('\r\n\r\n')) {
      const line = buffered.slice(0, buffered.indexOf('\r\n'));
      buffered = buffered.slice(end + 4);
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${line.length}\r\n\r\n${line}`);
    }
  });
}

/** Answers whatever comes with the same text. */
export function answers(text: string): (socket: Socket) => void {
  return (socket) => void socket.on('data', () => socket.write(text));
}

export const request = (path: string, more = '', host = 'api.ok.test', method = 'GET') =>
  `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`;
