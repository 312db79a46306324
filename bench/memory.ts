/** What one more idle clone costs: the proportional set size of all its processes; and the daemon. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DaemonClient } from '../lib/daemon/client.ts';
import { homeOf } from '../lib/paths.ts';
import { median, type Row } from './table.ts';
import type { World } from './world.ts';

const CLONES = 6;

export async function memory(world: World): Promise<Row[]> {
  const home = homeOf({ SBX_HOME: world.home });
  writeFileSync(
    join(world.dir, 'sandbox.toml'),
    `version = 1\nname = "bench"\nagent = "shell"\n[resources]\nmemory = "1GiB"\ncpus = 2\n[sandboxes.clone]\ncount = ${CLONES}\n`,
  );
  await world.sbx(['apply', '--yes']);
  const client = new DaemonClient({ socketPath: home.daemon.socket });
  const clones = (await client.list()).filter(({ projectDir }) => projectDir === world.dir);
  for (const { name } of clones) await world.sbx(['exec', name, '--', '/bin/true']);
  const sizes = clones.map(({ id }) => pssOf(join(home.instances, id)));
  const daemon = (await client.status()).memoryBytes / 1e6;
  await world.sbx(['rm', '--all', '--yes']);
  const value = median(sizes);
  return [
    {
      what: `one of ${CLONES} idle clones of 1 GiB, all its processes (PSS)`,
      unit: 'MB',
      value,
      floor: undefined,
      heldTo: '≤ 100 MB',
      met: value <= 100,
      samples: sizes.length,
    },
    {
      what: `the daemon with ${CLONES} sandboxes (RSS)`,
      unit: 'MB',
      value: daemon,
      floor: undefined,
      heldTo: '≤ 200 MB with 50',
      met: daemon <= 200,
      samples: 1,
    },
  ];
}

function pssOf(instanceDir: string): number {
  const pids = readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(`sbx-vm:${instanceDir}\0`);
    } catch {
      return false;
    }
  });
  const kib = pids.map((pid) =>
    Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0),
  );
  return (kib.reduce((sum, one) => sum + one, 0) * 1024) / 1e6;
}
