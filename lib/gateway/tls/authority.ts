/** The certificate authority of one VM: made on the host, its key never leaves it, its certificates name one host each. */
import { randomBytes, webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import writeFileAtomic from 'write-file-atomic';
import type { Host } from '../address/canonical-host.ts';

export interface Authority {
  /** The certificate that the guest trusts */
  readonly pem: string;
  /** To be the host towards the guest; made once, then kept */
  contextFor(host: Host): Promise<SecureContext>;
}

/** Of a door that reads no requests: what would be intercepted fails. */
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

/** The one in the file; a new one is written where there is none, or none that can be used. Readable by the user alone. */
export async function loadAuthority(path: string): Promise<Authority> {
  const found = readFile(path);
  if (found !== undefined) return openAuthority(found);
  const made = await takeAuthority();
  writeFileAtomic.sync(path, JSON.stringify(made), { mode: 0o600 });
  return openAuthority(made);
}

/** Kept in memory alone. */
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
/** A VM may live long, and its clock may be a little behind */
const CA_DAYS = 3_650;
const LEAF_DAYS = 90;
const RENEW_DAYS = 30;
const KEPT_MAX = 256;

/** Not loaded before the first authority is made. */
const x509 = () => import('./x509.ts');

let spare: Promise<AuthorityFile> | undefined;

/** Makes the next one before it is needed, so that nobody waits for it. */
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

/** By then whoever waits for a sandbox has it */
const SPARE_AFTER_MS = 2_000;

/** The same for all, so that the guest knows beforehand where its libraries look for it; the keys differ. */
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

/** One key for all leaves: it protects the way between the guest and this host's process only. */
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

/** Positive, as the standard wants it. */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString('hex');
}
