/** Reads the CAs that this host trusts besides the public ones: a guest behind the same network needs them too. */
import { X509Certificate } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { memoByFiles } from '../store/memo.ts';

const BUNDLES = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt'];
/** Roots of the distribution's own package, with some that Node has dropped */
const PACKAGED_ROOTS = '/usr/share/ca-certificates/mozilla';

/** PEM text of the host's extra CAs: its bundle and `NODE_EXTRA_CA_CERTS`, less the roots that every system has. Empty when there are none. */
export const hostExtraCas = memoByFiles([...BUNDLES, PACKAGED_ROOTS], () => findExtraCas(process.env));

async function findExtraCas(env: NodeJS.ProcessEnv): Promise<string> {
  const files = [...new Set([...BUNDLES, env['NODE_EXTRA_CA_CERTS'] ?? '', env['SSL_CERT_FILE'] ?? ''])].filter(
    Boolean,
  );
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')));
  return extraCas(texts.join('\n'), [...rootCertificates, ...(await packagedRoots())]);
}

async function packagedRoots(): Promise<string[]> {
  const names = await readdir(PACKAGED_ROOTS).catch(() => []);
  return Promise.all(names.map((name) => readFile(join(PACKAGED_ROOTS, name), 'utf8').catch(() => '')));
}

/** Pure: the PEM blocks of `bundle` that are not among `known`, each once, sorted so that the same set gives the same text. */
export function extraCas(bundle: string, known: readonly string[]): string {
  const publicRoots = new Set(known.map(fingerprint));
  const extra = new Map<string, string>();
  for (const block of bundle.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []) {
    const print = fingerprint(block);
    if (print !== undefined && !publicRoots.has(print)) extra.set(print, block);
  }
  return [...extra]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, block]) => `${block}\n`)
    .join('');
}

function fingerprint(pem: string): string | undefined {
  try {
    return new X509Certificate(pem).fingerprint256;
  } catch {
    return undefined;
  }
}
