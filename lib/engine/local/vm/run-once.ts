/** Runs a command that does nothing, so that the next one is quick. */
import type { GuestConnection } from '../../../guest/client/connection.ts';

/** An emulating host translates code when it first runs: the first command of the sandbox will find this done. */
export async function runOnce(guest: GuestConnection): Promise<void> {
  const child = guest.exec({ argv: ['/bin/true'], cwd: '/', stdin: false });
  child.stdout.resume();
  child.stderr.resume();
  await child.exit;
}
