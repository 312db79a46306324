/** Issues one-host certificates from the certificate authority of a VM, whose key never leaves the host. */
import { randomBytes, webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import writeFileAtomic from 'write-file-atomic';
import type { Host } from '../address/canonical-host.ts';

export interface Authority {
  /** The certificate that the guest trusts */
  readonly pem: string;
  /** Context with a certificate for the host, cached */
  contextFor(host: Host): Promise<SecureContext>;
}

/** Authority of a listener without interception: every request for a context fails. */
export const NO_AUTHORITY: Authority = {
  pem: '',
  contextFor: () => Promise.reject(new Error('there is no certificate authority')),
};

interface AuthorityFile {
  version: 1;
  certificate: string;
  /** PKCS #8, PEM */
  key: string;
}

/** Loads the authority; writes a new one, with mode 0600, if the file is missing or unusable. */
export async function loadAuthority(path: string): Promise<Authority> {
  const found = readFile(path);
  if (found !== undefined) return openAuthority(found);
  const made = await takeAuthority();
  writeFileAtomic.sync(path, JSON.stringify(made), { mode: 0o600 });
  return openAuthority(made);
}

/** Creates an authority in memory. */
export async function createAuthority(): Promise<Authority> {
  return openAuthority(await makeAuthority());
}

function readFile(path: string): AuthorityFile | undefined {
  try {
    const value = JSON.parse(readFileSync(path, 'utf8')) as Partial<AuthorityFile>;
    return value.version === 1 && typeof value.certificate === 'string' && typeof value.key === 'string'
      ? { version: 1, certificate: value.certificate, key: value.key }
      : undefined;
  } catch {
    return undefined;
  }
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;
/** A VM may live long, and its clock may be slightly behind */
const CA_DAYS = 3_650;
const LEAF_DAYS = 90;
const RENEW_DAYS = 30;
const KEPT_MAX = 256;

/** Loaded when the first authority is made. */
const x509 = () => import('./x509.ts');

let spare: Promise<AuthorityFile> | undefined;

/** Makes the next authority ahead of time, so that no sandbox waits for it. */
export function prepareAuthority(): void {
  spare ??= makeAuthority();
  spare.catch(() => {});
}

async function takeAuthority(): Promise<AuthorityFile> {
  const made = spare ?? makeAuthority();
  spare = undefined;
  setTimeout(prepareAuthority, SPARE_AFTER_MS).unref();
  return made;
}

/** Long enough for the current sandbox to start first */
const SPARE_AFTER_MS = 2_000;

/** The same for all authorities, so that its hash name in the guest is known in advance; the keys differ. */
const NAME = 'CN=sbx sandbox';

async function makeAuthority(): Promise<AuthorityFile> {
  const lib = await x509();
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await lib.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: NAME,
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + CA_DAYS * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new lib.BasicConstraintsExtension(true, 0, true),
      new lib.KeyUsagesExtension(lib.KeyUsageFlags.keyCertSign | lib.KeyUsageFlags.cRLSign, true),
      await lib.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  return {
    version: 1,
    certificate: `${certificate.toString('pem')}\n`,
    key: lib.PemConverter.encode(key, 'PRIVATE KEY'),
  };
}

function openAuthority(file: AuthorityFile): Authority {
  const kept = new Map<string, { context: Promise<SecureContext>; until: number }>();
  const signer = createSigner(file);
  return {
    pem: file.certificate,
    contextFor(host) {
      const found = kept.get(host.host);
      kept.delete(host.host);
      const fresh = found !== undefined && Date.now() < found.until;
      const entry = fresh ? found : { context: signer(host), until: Date.now() + RENEW_DAYS * DAY_MS };
      entry.context.catch(() => kept.delete(host.host));
      kept.set(host.host, entry);
      const [oldest] = kept.keys();
      if (kept.size > KEPT_MAX && oldest !== undefined) kept.delete(oldest);
      return entry.context;
    },
  };
}

/** Uses one key for all leaves: it protects only the connection between the guest and this process. */
function createSigner({ certificate, key }: AuthorityFile): (host: Host) => Promise<SecureContext> {
  const prepare = async () => {
    const lib = await x509();
    const issuer = new lib.X509Certificate(certificate);
    const raw = lib.PemConverter.decodeFirst(key);
    const signingKey = await webcrypto.subtle.importKey('pkcs8', raw, ALGORITHM, false, ['sign']);
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const leafKey = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
    return { lib, issuer, signingKey, keys, keyPem: lib.PemConverter.encode(leafKey, 'PRIVATE KEY') };
  };
  let prepared: ReturnType<typeof prepare> | undefined;
  return async ({ host, kind }) => {
    prepared ??= prepare();
    const { lib, issuer, signingKey, keys, keyPem } = await prepared;
    const leaf = await lib.X509CertificateGenerator.create({
      serialNumber: serial(),
      subject: host.length <= 64 ? [{ CN: [host] }] : [],
      issuer: issuer.subject,
      notBefore: new Date(Date.now() - DAY_MS),
      notAfter: new Date(Date.now() + LEAF_DAYS * DAY_MS),
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey,
      extensions: [
        new lib.BasicConstraintsExtension(false, undefined, true),
        new lib.KeyUsagesExtension(lib.KeyUsageFlags.digitalSignature, true),
        new lib.ExtendedKeyUsageExtension([lib.ExtendedKeyUsage.serverAuth]),
        new lib.SubjectAlternativeNameExtension(
          [{ type: kind === 'address' ? 'ip' : 'dns', value: host }],
          host.length > 64,
        ),
        await lib.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
        await lib.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return createSecureContext({ cert: leaf.toString('pem'), key: keyPem, minVersion: 'TLSv1.2' });
  };
}

/** Positive, as RFC 5280 requires. */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString('hex');
}
