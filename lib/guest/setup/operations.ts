/** What is done to a guest from outside of its processes: operations as data, in a line for the helper that carries them out. Pure. */

export type Operation =
  /** Mixes the bytes in, credits them, and makes the kernel's generator start anew */
  | { op: 'entropy'; bytes: Buffer }
  | { op: 'clock'; seconds: bigint; nanoseconds: bigint }
  | { op: 'host'; name: string }
  | { op: 'write'; path: string; text: string }
  /** Adds it to what the system trusts, once */
  | { op: 'trust'; certificate: string }
  /** Also the folders above; one that stands there already is kept */
  | { op: 'folder'; path: string; mode: number }
  /** Nothing when something is mounted there already */
  | { op: 'mount'; source: string; target: string; type: string; data: string }
  /** Makes the mount point, a folder or a file like the source; nothing when something is mounted there already. A symbolic link is refused */
  | { op: 'bind'; source: string; target: string }
  | { op: 'sync' }
  | { op: 'reboot' };

/** Where the system's own tools keep what was added to the bundle */
export const ADDED_CERTIFICATES = '/usr/local/share/ca-certificates';
const OWN_CERTIFICATE = `${ADDED_CERTIFICATES}/sbx.crt`;
/** What is trusted besides the public roots, for programs that bring those themselves: Node 20 reads all of that file at every start */
export const EXTRA_CERTIFICATES = '/etc/ssl/sbx-extra.pem';
export const SYSTEM_BUNDLE = '/etc/ssl/certs/ca-certificates.crt';
export const JAVA_STORE = '/etc/ssl/certs/java/cacerts';
/** OpenSSL looks for an issuer under the hash of its name, which is the same for the authorities of all sandboxes */
export const AUTHORITY_HASH = 'b0679d8b';

/** Files that a certificate is added to; others in tests. */
export interface TrustPaths {
  own: string;
  bundle: string;
  extra: string;
  /** Made from the bundle, where there is one */
  java: string;
}

const TRUST: TrustPaths = {
  own: OWN_CERTIFICATE,
  bundle: SYSTEM_BUNDLE,
  extra: EXTRA_CERTIFICATES,
  java: JAVA_STORE,
};

export interface SetupResult {
  /** There is a trust store of Java, which is to be made anew from what the system trusts */
  java: boolean;
}

/** What the helper's line says; undefined: it is a failure, in its own words. */
export function parseAnswer(answer: string): SetupResult | undefined {
  if (answer === 'ok') return { java: false };
  return answer === 'ok java' ? { java: true } : undefined;
}

/** Arguments are hex-encoded, so that no path can break a line. */
export function lineOf(operations: Operation[], trust: TrustPaths = TRUST): string {
  return `${operations
    .map((operation) =>
      [operation.op, ...argumentsOf(operation, trust).map((arg) => Buffer.from(arg).toString('hex'))].join(' '),
    )
    .join(';')}\n`;
}

function argumentsOf(operation: Operation, trust: TrustPaths): (string | Buffer)[] {
  switch (operation.op) {
    case 'entropy':
      return [operation.bytes];
    case 'clock':
      return [String(operation.seconds), String(operation.nanoseconds)];
    case 'host':
      return [operation.name];
    case 'write':
      return [operation.path, operation.text];
    case 'trust':
      return [operation.certificate, trust.own, trust.java, trust.bundle, trust.extra];
    case 'folder':
      return [operation.path, String(operation.mode)];
    case 'mount':
      return [operation.source, operation.target, operation.type, operation.data];
    case 'bind':
      return [operation.source, operation.target];
    default:
      return [];
  }
}
