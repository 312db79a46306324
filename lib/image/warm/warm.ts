/** Prepares a booted guest for cloning: everything that a first command touches is in its memory. */
import { randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { SbxError } from '../../errors.ts';
import type { GuestConnection } from '../../guest/client/connection.ts';
import { runSetup } from '../../guest/setup/client.ts';
import { type Identity, identityOperations } from '../../guest/setup/identity.ts';
import { START_DOCKER } from '../../guest/setup/operations.ts';
import { AGENT_USER } from '../bake/bake-script.ts';
import { WARM_DOCKER } from '../docker/docker-steps.ts';

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

interface WarmOptions {
  /** The socket of the guest's setup helper */
  setup: string;
  /** It has a Docker engine */
  docker: boolean;
}

/** Leaves the guest disconnected, with nothing of this boot that clones must not share. */
export async function warmUp(guest: GuestConnection, { setup, docker }: WarmOptions): Promise<void> {
  await using connection = guest;
  await connection.request('prepare-snapshot', { dropCaches: true });
  if (docker) await warmDocker(connection, setup);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const user of ['root', AGENT_USER]) {
      for (const argv of WARM_COMMANDS) {
        await execute(connection, argv, user);
      }
    }
  }
  // A rehearsal: the code that assigns an identity is compiled and its files are in memory.
  for (let round = 0; round < ROUNDS; round += 1) {
    await runSetup(setup, identityOperations(rehearsal()), { last: false, signal: AbortSignal.timeout(ANSWER_MS) });
  }
  await connection.request('prepare-snapshot', {});
}

/** The engine starts as in a clone: at the end of its setup. @throws SbxError `bake-failed`, with the output. */
async function warmDocker(connection: GuestConnection, setup: string): Promise<void> {
  await runSetup(setup, [START_DOCKER], { last: false, signal: AbortSignal.timeout(ANSWER_MS) });
  const { code, output } = await execute(connection, WARM_DOCKER, 'root');
  if (code !== 0)
    throw new SbxError('bake-failed', 'the Docker engine of the image does not run', {
      why: `a first container ended with exit code ${code}:\n${output}`,
      hint: 'correct what [packages] changes of /etc/docker, and run `sbx apply`',
    });
}

async function execute(connection: GuestConnection, argv: string[], user: string) {
  const child = connection.exec({ argv, cwd: '/', env: {}, user, stdin: false });
  child.stdout.resume();
  const [{ code }, output] = await Promise.all([child.exit, text(child.stderr)]);
  return { code, output: output.slice(-2000) };
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
    docker: false,
  };
}
