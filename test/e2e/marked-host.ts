/** Test double: hosts outside that exist for these tests only, with real TLS, found by the daemon through the proxy of its environment. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { loadAuthority } from '../../lib/gateway/authority.ts';
import { createDialer } from '../../lib/gateway/dial.ts';
import { proxySettings } from '../../lib/gateway/proxy-settings.ts';
import { systemResolver } from '../../lib/gateway/resolver.ts';

export interface Seen {
  host: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: string;
}

export interface MarkedHosts extends AsyncDisposable {
  /** For the daemon */
  environment: Record<string, string>;
  seen: Seen[];
}

/** `names`: served here; every other host leads where it really is. `folder` keeps the authority, so that a base that trusts it stays good. */
export async function startMarkedHosts(
  names: string[],
  folder: string,
  answer: (seen: Seen, response: ServerResponse) => void,
): Promise<MarkedHosts> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const authority = await loadAuthority(join(folder, 'authority.json'));
  const bundle = join(folder, 'trusted.pem');
  const own = process.env['NODE_EXTRA_CA_CERTS'];
  writeFileSync(bundle, `${own === undefined ? '' : readFileSync(own, 'utf8')}\n${authority.pem}`);
  const seen: Seen[] = [];
  const sockets = new Set<Socket>();
  const server = createHttps({
    SNICallback: (name, done) =>
      void authority.contextFor({ host: name, kind: 'name' }).then((context) => done(null, context), done),
  });
  server.on('request', async (request: IncomingMessage, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const { url = '', headers } = request;
    const one = { host: headers.host ?? '', url, headers, body: Buffer.concat(parts).toString() };
    seen.push(one);
    answer(one, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const proxy = createHttp();
  proxy.on('connect', (request, client: Socket) => {
    void open(request.url ?? '', names, port).then(
      (upstream) => {
        sockets.add(upstream.on('error', () => client.destroy()));
        client.on('error', () => upstream.destroy()).on('close', () => upstream.destroy());
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        client.pipe(upstream).pipe(client);
      },
      () => client.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'),
    );
  });
  for (const one of [server, proxy]) one.on('connection', (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  return {
    environment: { https_proxy: url, HTTPS_PROXY: url, NODE_EXTRA_CA_CERTS: bundle },
    seen,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await Promise.all([server, proxy].map((one) => new Promise((resolve) => one.close(resolve))));
    },
  };
}

async function open(authority: string, names: string[], port: number): Promise<Socket> {
  const [host = '', text = ''] = authority.split(':');
  if (names.includes(host))
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(socket));
      socket.once('error', reject);
    });
  const signal = AbortSignal.timeout(15_000);
  const dialer = createDialer(proxySettings(process.env));
  const target = { host, port: Number(text), purpose: 'tunnel' } as const;
  const addresses = dialer.resolves(target) ? [] : await systemResolver().resolve(host, signal);
  return (await dialer.dial({ ...target, addresses }, signal)).socket;
}
