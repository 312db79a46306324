/** The command line itself: start, a no-op apply, a command in a running sandbox. */

import { DaemonClient } from '../../lib/api/client.ts';
import { GuestConnection } from '../../lib/guest/client/connection.ts';
import { homeOf } from '../../lib/paths.ts';
import { median, type Row, samples, timed } from '../tools/table.ts';
import { call, type World } from '../tools/world.ts';

const ROUNDS = 15;

export async function commands(world: World): Promise<Row[]> {
  const node = await samples(ROUNDS, () => timed(bareNode));
  const version = await samples(ROUNDS, () => timed(() => world.sbx(['--version'])));
  const apply = await samples(ROUNDS, () => timed(() => world.sbx(['apply'])));
  const { exec, trip } = await commandsAndTrips(world);
  const [floor, base] = [median(node), median(trip)];
  return [
    {
      what: '`sbx --version`',
      unit: 'ms',
      value: median(version),
      floor: { what: '`node -e 0`', value: floor },
      heldTo: '≤ floor + 40 ms',
      met: median(version) <= floor + 40,
      samples: ROUNDS,
    },
    {
      what: 'no-op `sbx apply`',
      unit: 'ms',
      value: median(apply),
      floor: { what: '`node -e 0`', value: floor },
      heldTo: '≤ 300 ms',
      met: median(apply) <= 300,
      samples: ROUNDS,
    },
    {
      what: '`sbx exec true`, running sandbox',
      unit: 'ms',
      value: median(exec),
      floor: { what: 'bare guest round trip', value: base },
      heldTo: '≤ floor + 80 ms',
      met: median(exec) <= base + 80,
      samples: ROUNDS,
    },
  ];
}

/** Without the variable by which Node 20 reads a file of certificates at its start: `sbx` starts without it, too. */
function bareNode(): Promise<string> {
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
  return call(process.execPath, ['-e', '0'], { env });
}

/**
 * In turns, `exec` and the same command over an open connection: no process of ours in between but the daemon's relay. Before each trip Node
 * starts and ends, as it does in `exec`: a machine that was asked just now answers quicker than one that waits.
 */
async function commandsAndTrips(world: World): Promise<{ exec: number[]; trip: number[] }> {
  const client = new DaemonClient({ socketPath: homeOf({ SBX_HOME: world.home }).daemon.socket });
  const [sandbox] = (await client.list()).filter(({ projectDir }) => projectDir === world.dir);
  await using guest = await GuestConnection.connect((await client.guest(sandbox?.id ?? '')).socket, { fresh: true });
  const ask = async () => {
    const child = guest.exec({ argv: ['/bin/true'], cwd: '/', stdin: false });
    child.stdout.resume();
    child.stderr.resume();
    await child.exit;
  };
  const [exec, trip]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    exec.push(await timed(() => world.sbx(['exec', '--', '/bin/true'])));
    await bareNode();
    trip.push(await timed(ask));
  }
  return { exec, trip };
}
