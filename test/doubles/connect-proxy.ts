/** A CONNECT proxy on loopback: hosts that exist for the tests only lead to their servers, every other where it really is. */
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { createDialer } from '../../lib/gateway/upstream/dial.ts';
import { proxySettings } from '../../lib/gateway/upstream/proxy-settings.ts';
import { systemResolver } from '../../lib/gateway/upstream/resolver.ts';

export interface ConnectProxyOptions {
  /** Port on loopback of the server for this host and port; undefined: none of the tests' */
  portFor: (host: string, port: number) => number | undefined;
  /** Answered with 403 */
  denies: (host: string) => boolean;
}

export interface ConnectProxy extends AsyncDisposable {
  url: string;
  /** Every `host:port` that was asked for, in order */
  asked: string[];
}

export async function startConnectProxy(options: ConnectProxyOptions): Promise<ConnectProxy> {
  const asked: string[] = [];
  const sockets = new Set<Duplex>();
  const server = createServer((request, response) => {
    asked.push(`plain ${request.method} ${request.url}`);
    response.writeHead(403).end('only CONNECT is served here\n');
  });
  server.on('connection', (socket) => sockets.add(socket));
  server.on('connect', (request: IncomingMessage, client: Duplex, head: Buffer) => {
    asked.push(request.url ?? '');
    client.on('error', () => client.destroy());
    open(request.url ?? '', options).then(
      (upstream) => {
        sockets.add(upstream);
        upstream.on('error', () => client.destroy());
        client.on('close', () => upstream.destroy());
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        upstream.write(head);
        client.pipe(upstream).pipe(client);
      },
      (error: Error & { status?: string }) => client.end(`HTTP/1.1 ${error.status ?? '502 Bad Gateway'}\r\n\r\n`),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function open(authority: string, options: ConnectProxyOptions): Promise<Duplex> {
  const { hostname: host, port: text } = new URL(`tcp://${authority}`);
  const port = Number(text);
  if (options.denies(host)) throw Object.assign(new Error('denied'), { status: '403 Forbidden' });
  const local = options.portFor(host, port);
  return local === undefined ? openReal(host, port) : openLocal(local);
}

function openLocal(port: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));
    socket.once('error', reject);
  });
}

/** As the gateway would without the doubles: directly, or through the proxy that this environment names. */
async function openReal(host: string, port: number): Promise<Duplex> {
  const signal = AbortSignal.timeout(15_000);
  const dialer = createDialer(proxySettings(process.env));
  const target = { host, port, purpose: 'tunnel' } as const;
  const addresses = dialer.resolves(target) ? [] : await systemResolver().resolve(host, signal);
  return (await dialer.dial({ ...target, addresses }, signal)).socket;
}
