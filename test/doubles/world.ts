/**
 * The world outside, as far as it cannot be reached from a test: model APIs under their real host names, with certificates of a test
 * authority. Whoever takes `environment` for its own finds them there, and everything else where it really is.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadAuthority } from '../../lib/gateway/tls/authority.ts';
import { startConnectProxy } from './connect-proxy.ts';
import type { Double, Script } from './double.ts';
import { type SeenRequest, serves, startModelServer } from './model-server.ts';

export interface WorldOptions {
  script: Script;
  doubles: Double[];
  /** Keeps the authority: what is built to trust it stays good for the next run */
  folder: string;
  /** Hosts that the proxy answers with 403 */
  denies?: (host: string) => boolean;
}

export interface World extends AsyncDisposable {
  /** For a process that is to live in this world */
  environment: Record<string, string>;
  /** Certificate of the test authority, PEM */
  authority: string;
  /** Every request to a double */
  seen: SeenRequest[];
  /** Every `host:port` that was asked for */
  asked: string[];
}

export async function startWorld(options: WorldOptions): Promise<World> {
  mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  const authority = await loadAuthority(join(options.folder, 'authority.json'));
  const bundle = join(options.folder, 'trusted.pem');
  writeFileSync(bundle, `${ownTrust()}\n${authority.pem}`);
  const server = await startModelServer({ ...options, authority });
  const proxy = await startConnectProxy({
    portFor: (host, port) =>
      port === 443 && options.doubles.some((double) => serves(double, host)) ? server.port : undefined,
    denies: options.denies ?? (() => false),
  });
  return {
    environment: {
      https_proxy: proxy.url,
      HTTPS_PROXY: proxy.url,
      NODE_EXTRA_CA_CERTS: bundle,
      SSL_CERT_FILE: bundle,
    },
    authority: authority.pem,
    seen: server.seen,
    asked: proxy.asked,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** What this process was told to trust besides: the world adds to it, and hides none of it. */
function ownTrust(): string {
  const files = [process.env['SSL_CERT_FILE'], process.env['NODE_EXTRA_CA_CERTS']];
  return [...new Set(files)].map((file) => (file ? readFileSync(file, 'utf8') : '')).join('\n');
}
