/** Lists the operations that assign a guest its identity after a clone or a boot. Pure. */
import { SERVED } from '../workspace/relay.ts';
import { type Operation, START_DOCKER } from './operations.ts';

/** One of the served folders: `source` below the mount of the workspace server, `target` absolute. */
interface GuestMount {
  source: string;
  target: string;
}

export interface Identity {
  /** 64 random bytes of the host */
  entropy: Buffer;
  /** Host time, nanoseconds since the epoch */
  timeNs: bigint;
  /** 32 hex digits */
  machineId: string;
  hostname: string;
  mounts: GuestMount[];
  /** The certificate authority of the sandbox's egress proxy, PEM; empty: none */
  ca: string;
  /** Git's configuration for all users of the guest; empty: none */
  git: string;
  /** Its Docker engine starts */
  docker: boolean;
}

/** The host waits no longer, either */
const SERVED_SECONDS = 25;
const GIT_FILE = '/etc/sbx.gitconfig';
/** First in git's own file: what the image has there counts more. */
const GIT_INCLUDE = `[include]\n\tpath = ${GIT_FILE}\n`;

/** Entropy and clock come first: all random values and dates after them are the clone's own. */
export function identityOperations(identity: Identity): Operation[] {
  const { entropy, timeNs, machineId, hostname, mounts, ca, git, docker } = identity;
  return [
    { op: 'entropy', bytes: entropy },
    { op: 'clock', seconds: timeNs / 1_000_000_000n, nanoseconds: timeNs % 1_000_000_000n },
    { op: 'host', name: hostname },
    { op: 'write', path: '/etc/machine-id', text: `${machineId}\n` },
    { op: 'write', path: '/etc/hostname', text: `${hostname}\n` },
    ...(ca === '' ? [] : [{ op: 'trust', certificate: ca } satisfies Operation]),
    { op: 'write', path: '/etc/hosts', text: hostsFile(hostname) },
    ...(git === '' ? [] : configuringGit(git)),
    ...mounting(mounts),
    // Last: a container that the engine restarts finds its folders.
    ...(docker ? [START_DOCKER] : []),
  ];
}

/** IPv4 first: most servers listen there. `localhost` has both, as on Debian. */
function hostsFile(hostname: string): string {
  return `127.0.0.1 localhost\n127.0.1.1 ${hostname}\n::1 localhost ip6-localhost ip6-loopback\n`;
}

function configuringGit(text: string): Operation[] {
  return [
    { op: 'write', path: GIT_FILE, text },
    { op: 'prepend', path: '/etc/gitconfig', text: GIT_INCLUDE },
  ];
}

function mounting(mounts: GuestMount[]): Operation[] {
  if (mounts.length === 0) return [];
  return [
    { op: 'await-mount', path: SERVED, seconds: SERVED_SECONDS },
    ...mounts.map(({ source, target }): Operation => ({ op: 'bind', source: `${SERVED}/${source}`, target })),
  ];
}
