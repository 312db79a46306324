/** What one more idle clone costs: the proportional set size of all its processes and of the server of its workspace; and the daemon. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DaemonClient } from '../../lib/api/client.ts';
import type { SandboxStatus } from '../../lib/api/sandbox-status.ts';
import { homeOf } from '../../lib/paths.ts';
import { median, type Row } from '../tools/table.ts';
import type { World } from '../tools/world.ts';

/** Few, so that what they share with each other is not spread thin */
const MEASURED = 6;
/** In a row, as one file asks for */
const IN_A_ROW = 20;
/** What the daemon is held to */
const MANY = 50;

export async function memory(world: World): Promise<Row[]> {
  const home = homeOf({ SBX_HOME: world.home });
  const client = new DaemonClient({ socketPath: home.daemon.socket });
  const sizesOf = async (count: number) => {
    const clones = await run(world, client, count);
    // One server has the folder for all of them.
    const record = readFileSync(join(home.instances, clones[0]?.id ?? '', 'workspace.json'), 'utf8');
    const { key } = JSON.parse(record) as { key: string };
    const share = pssOf(`sbx-workspace:${join(home.workspaces, key)}`) / count;
    return clones.map(({ id }) => pssOf(`sbx-vm:${join(home.instances, id)}`) + share);
  };
  const sizes = await sizesOf(MEASURED);
  const inARow = await sizesOf(IN_A_ROW);
  await run(world, client, MANY);
  const daemon = (await client.status()).memoryBytes / 1e6;
  await world.sbx(['rm', '--all', '--yes', '--discard']);
  const value = median(sizes);
  return [
    {
      what: `one of ${MEASURED} idle clones of 1 GiB, all its processes and its share of the workspace server (PSS)`,
      unit: 'MB',
      value,
      floor: undefined,
      heldTo: '≤ 100 MB',
      met: value <= 100,
      samples: sizes.length,
    },
    {
      what: `the largest of ${IN_A_ROW} such clones (PSS)`,
      unit: 'MB',
      value: Math.max(...inARow),
      floor: undefined,
      samples: inARow.length,
    },
    {
      what: `the daemon with ${MANY} sandboxes (RSS)`,
      unit: 'MB',
      value: daemon,
      floor: undefined,
      heldTo: '≤ 200 MB',
      met: daemon <= 200,
      samples: 1,
    },
  ];
}

/** So many, each of which has run a command. */
async function run(world: World, client: DaemonClient, count: number): Promise<SandboxStatus[]> {
  writeFileSync(
    join(world.dir, 'sandbox.toml'),
    `version = 1\nname = "bench"\nagent = "shell"\n[resources]\nmemory = "1GiB"\ncpus = 2\n[sandboxes.clone]\ncount = ${count}\n`,
  );
  await world.sbx(['apply', '--yes']);
  const clones = (await client.list()).filter(({ projectDir }) => projectDir === world.dir);
  for (const { name } of clones) await world.sbx(['exec', name, '--', '/bin/true']);
  return clones;
}

/** Of all processes with this word in their command line; in MB. */
function pssOf(word: string): number {
  const pids = readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(`${word}\0`);
    } catch {
      return false;
    }
  });
  const kib = pids.map((pid) =>
    Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0),
  );
  return (kib.reduce((sum, one) => sum + one, 0) * 1024) / 1e6;
}
