/** Test double: external hosts with real TLS, which the daemon reaches through the proxy of its environment. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { loadAuthority } from '../../../lib/gateway/tls/authority.ts';
import { startConnectProxy } from '../../doubles/connect-proxy.ts';

interface Seen {
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

export interface MarkedHostsOptions {
  /** Served here, on port 443; every other host leads where it really is */
  names: string[];
  /** Keeps the authority, so that a base that trusts it stays good */
  folder: string;
  answer: (seen: Seen, response: ServerResponse) => void;
  /** `host:port` → port on loopback of a server of another kind */
  servers?: Record<string, number>;
}

export async function startMarkedHosts({
  names,
  folder,
  answer,
  servers = {},
}: MarkedHostsOptions): Promise<MarkedHosts> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const authority = await loadAuthority(join(folder, 'authority.json'));
  const bundle = join(folder, 'trusted.pem');
  const own = process.env['NODE_EXTRA_CA_CERTS'];
  writeFileSync(bundle, `${own === undefined ? '' : readFileSync(own, 'utf8')}\n${authority.pem}`);
  const seen: Seen[] = [];
  const server = createServer({
    SNICallback: (name, done) =>
      void authority.contextFor({ host: name, kind: 'name' }).then((context) => done(null, context), done),
  });
  server.on('request', async (request: IncomingMessage, response: ServerResponse) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const { url = '', headers } = request;
    const one = { host: headers.host ?? '', url, headers, body: Buffer.concat(parts).toString() };
    seen.push(one);
    answer(one, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const proxy = await startConnectProxy({
    portFor: (host, asked) => (asked === 443 && names.includes(host) ? port : servers[`${host}:${asked}`]),
    denies: () => false,
  });
  return {
    environment: { https_proxy: proxy.url, HTTPS_PROXY: proxy.url, NODE_EXTRA_CA_CERTS: bundle },
    seen,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
