/** Makes a freshly booted guest ready to be cloned: what every first command touches is in its memory. */
import type { GuestConnection } from '../guest/client.ts';
import { AGENT_USER } from './bake-script.ts';

/** Run as root and as the agent's user; their code and libraries stay in the page cache of each clone. */
const WARM_COMMANDS = [
  ['/bin/true'],
  ['/bin/sh', '-c', ':'],
  ['/bin/bash', '-lc', 'ls / >/dev/null'],
  ['/usr/bin/env'],
];

const ROUNDS = 3;

/** Leaves the guest disconnected, with nothing of this boot that clones must not share. */
export async function warmUp(guest: GuestConnection): Promise<void> {
  await using connection = guest;
  await connection.request('prepare-snapshot', { dropCaches: true });
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const user of ['root', AGENT_USER]) {
      for (const argv of WARM_COMMANDS) {
        const child = await connection.exec({ argv, cwd: '/', env: {}, user, stdin: false });
        child.stdout.resume();
        child.stderr.resume();
        await child.exit;
      }
    }
  }
  await connection.request('prepare-snapshot', {});
}
