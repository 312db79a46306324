/** What this host trusts: the roots that upstream certificates are verified against. */
import { readFileSync } from 'node:fs';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';

const BUNDLES = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt'];

/** Read at the first use, then kept: hundreds of certificates are not parsed for each connection. */
export function hostTrust(env: NodeJS.ProcessEnv): () => SecureContext {
  let context: SecureContext | undefined;
  return () => {
    context ??= createSecureContext({ ca: [...rootCertificates, ...bundles(env)], minVersion: 'TLSv1.2' });
    return context;
  };
}

/** The system's own bundle, and what the usual variables add to it. */
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
