/** Loads the root certificates of this host, to verify upstream certificates. */
import { readFileSync } from 'node:fs';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';

const BUNDLES = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt'];

/** Reads the roots once, at the first use: parsing hundreds of certificates is slow. */
export function hostTrust(env: NodeJS.ProcessEnv): () => SecureContext {
  let context: SecureContext | undefined;
  return () => {
    context ??= createSecureContext({ ca: [...rootCertificates, ...bundles(env)], minVersion: 'TLSv1.2' });
    return context;
  };
}

/** The system bundle and those that the usual variables add. */
function bundles(env: NodeJS.ProcessEnv): string[] {
  const files = [...BUNDLES, env['SSL_CERT_FILE'], env['NODE_EXTRA_CA_CERTS']];
  return files.flatMap((file) => {
    try {
      return file === undefined || file === '' ? [] : [readFileSync(file, 'utf8')];
    } catch {
      return [];
    }
  });
}
