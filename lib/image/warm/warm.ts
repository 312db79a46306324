/** Prepares a booted guest for cloning: everything that a first command touches is in its memory. */
import { randomBytes } from 'node:crypto';
import type { GuestConnection } from '../../guest/client/connection.ts';
import { runSetup } from '../../guest/setup/client.ts';
import { type Identity, identityOperations } from '../../guest/setup/identity.ts';
import { AGENT_USER } from '../bake/bake-script.ts';

/** Run as root and as the agent's user; their code and libraries stay in the page cache of each clone. */
const WARM_COMMANDS = [
  ['/bin/true'],
  ['/bin/sh', '-c', ':'],
  ['/bin/bash', '-lc', 'ls / >/dev/null'],
  ['/usr/bin/env'],
  // The files that a clone adds its own CA to.
  ['/bin/sh', '-c', 'cd /etc/ssl/certs && ls -l . java /usr/local/share/ca-certificates && cat ca-certificates.crt'],
];

const ROUNDS = 3;
/** Long enough for a busy host */
const ANSWER_MS = 60_000;

/** `setup`: the socket of its set-up helper. Leaves the guest disconnected, with nothing of this boot that clones must not share. */
export async function warmUp(guest: GuestConnection, setup: string): Promise<void> {
  await using connection = guest;
  await connection.request('prepare-snapshot', { dropCaches: true });
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const user of ['root', AGENT_USER]) {
      for (const argv of WARM_COMMANDS) {
        const child = connection.exec({ argv, cwd: '/', env: {}, user, stdin: false });
        child.stdout.resume();
        child.stderr.resume();
        await child.exit;
      }
    }
  }
  // A rehearsal: the code that assigns an identity is compiled and its files are in memory.
  for (let round = 0; round < ROUNDS; round += 1) {
    await runSetup(setup, identityOperations(rehearsal()), { last: false, signal: AbortSignal.timeout(ANSWER_MS) });
  }
  await connection.request('prepare-snapshot', {});
}

function rehearsal(): Identity {
  return {
    entropy: randomBytes(64),
    timeNs: BigInt(Date.now()) * 1_000_000n,
    machineId: '0'.repeat(32),
    hostname: 'sbx',
    mounts: [],
    // No certificate, but the files of one are made.
    ca: '\n',
    git: '\n',
  };
}
