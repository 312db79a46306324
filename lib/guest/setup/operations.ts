/** Setup operations of a guest as data, and their encoding as a line for the setup helper. Pure. */

export type Operation =
  /** Mixes the bytes in, credits them, and reseeds the kernel's generator */
  | { op: 'entropy'; bytes: Buffer }
  | { op: 'clock'; seconds: bigint; nanoseconds: bigint }
  | { op: 'host'; name: string }
  | { op: 'write'; path: string; text: string }
  /** Puts the text before what the file has, once */
  | { op: 'prepend'; path: string; text: string }
  /** Adds it to the system's trust store, once */
  | { op: 'trust'; certificate: string }
  /** Also creates the folders above; an existing one is kept */
  | { op: 'folder'; path: string; mode: number }
  /** Creates the mount point, a folder or a file like the source; does nothing when it is mounted there already. A symbolic link is refused */
  | { op: 'bind'; source: string; target: string }
  /** Waits until something is mounted at `path`; fails after `seconds` */
  | { op: 'await-mount'; path: string; seconds: number }
  /** Limits of a process, which its later children inherit */
  | { op: 'open-files'; pid: number; soft: number; hard: number }
  | { op: 'sync' }
  | { op: 'reboot' };

/** Where the system's own tools keep certificates that were added to the bundle */
export const ADDED_CERTIFICATES = '/usr/local/share/ca-certificates';
/** The guest's own address on its network card: containers reach it from every network of theirs */
export const GUEST_ADDRESS = '10.0.2.15';
/** An image with a Docker engine has this file. Also in runtime-init.sh */
export const DOCKER_ENABLED = '/etc/sbx/docker';
/** The Docker engine of a guest starts once this file exists. Also in docker.pl */
export const START_DOCKER: Operation = { op: 'write', path: '/run/sbx/docker', text: '' };
const OWN_CERTIFICATE = `${ADDED_CERTIFICATES}/sbx.crt`;
/** Certificates besides the public roots, for programs that include those: Node 20 reads all of this file at every start */
export const EXTRA_CERTIFICATES = '/etc/ssl/sbx-extra.pem';
export const SYSTEM_BUNDLE = '/etc/ssl/certs/ca-certificates.crt';
export const JAVA_STORE = '/etc/ssl/certs/java/cacerts';
/** OpenSSL looks up an issuer by the hash of its name, which is the same for the authorities of all sandboxes. Also in setup.pl */
export const AUTHORITY_HASH = 'b0679d8b';

/** Files that a certificate is added to; tests use others. */
export interface TrustPaths {
  own: string;
  bundle: string;
  extra: string;
  /** Java's trust store, rebuilt from the bundle if it exists */
  java: string;
}

const TRUST_PATHS: TrustPaths = {
  own: OWN_CERTIFICATE,
  bundle: SYSTEM_BUNDLE,
  extra: EXTRA_CERTIFICATES,
  java: JAVA_STORE,
};

export interface SetupResult {
  /** There is a trust store of Java, which has to be rebuilt from the system's bundle */
  java: boolean;
}

/** Parses the setup helper's answer. Undefined: the answer is the text of a failure. */
export function parseAnswer(answer: string): SetupResult | undefined {
  if (answer === 'ok') return { java: false };
  return answer === 'ok java' ? { java: true } : undefined;
}

/** Encodes operations as one line. Arguments are in hex, so that no path can break it. */
export function lineOf(operations: Operation[], trust: TrustPaths = TRUST_PATHS): string {
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
    case 'prepend':
      return [operation.path, operation.text];
    case 'trust':
      return [operation.certificate, trust.own, trust.java, trust.bundle, trust.extra];
    case 'folder':
      return [operation.path, String(operation.mode)];
    case 'bind':
      return [operation.source, operation.target];
    case 'await-mount':
      return [operation.path, String(operation.seconds)];
    case 'open-files':
      return [operation.pid, operation.soft, operation.hard].map(String);
    default:
      return [];
  }
}
