/** A fresh sandbox to its first command's exit, against a bare replay of the same snapshot; warm against cold. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DaemonClient } from '../lib/daemon/client.ts';
import { placesOf } from '../lib/daemon/handlers.ts';
import { Records } from '../lib/daemon/records.ts';
import { GuestConnection } from '../lib/guest/client.ts';
import { cloneDisk, type WarmImage } from '../lib/image/layers.ts';
import { homeOf, instancePaths } from '../lib/paths.ts';
import { createQemuDriver } from '../lib/vm/qemu/driver.ts';
import { median, type Row, samples, timed } from './table.ts';
import type { World } from './world.ts';

const ROUNDS = 9;
const COLD_ROUNDS = 3;

export async function starts(world: World): Promise<Row[]> {
  const home = homeOf({ SBX_HOME: world.home });
  const [sandbox] = (await new DaemonClient(home.daemon.socket).list()).filter(
    ({ projectDir }) => projectDir === world.dir,
  );
  const image = new Records(home).require(sandbox?.id ?? '').image;
  if (image === null) throw new Error('the bench project is not applied');
  const bare = await samples(ROUNDS, () => replay(image, home.probes));
  const fresh: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    await world.sbx(['rm', '--yes']);
    fresh.push(await timed(() => world.sbx(['exec', '--apply', '--', '/bin/true'])));
  }
  const cold: number[] = [];
  for (let round = 0; round < COLD_ROUNDS; round += 1) {
    await world.sbx(['stop']);
    cold.push(
      await timed(async () => {
        await world.sbx(['start']);
        await world.sbx(['exec', '--', '/bin/true']);
      }),
    );
  }
  const [value, floor, slow] = [median(fresh), median(bare), median(cold)];
  return [
    {
      what: 'fresh sandbox to first command’s exit (`sbx exec --apply`)',
      unit: 'ms',
      value,
      floor: { what: 'bare QEMU replay with the same command', value: floor },
      heldTo: '≤ 600 ms and ≤ 1.5 × floor',
      met: value <= 600 && value <= 1.5 * floor,
      samples: ROUNDS,
    },
    {
      what: 'cold boot of the same spec, over warm',
      unit: '×',
      value: slow / value,
      floor: undefined,
      heldTo: '≥ 15 ×',
      met: slow / value >= 15,
      samples: COLD_ROUNDS,
    },
  ];
}

/** QEMU in its jail, the snapshot, one command: nothing else of sbx. */
async function replay(image: WarmImage, probes: string): Promise<number> {
  const root = mkdtempSync(join(tmpdir(), 'sbx-r-'));
  const home = homeOf({ SBX_HOME: root });
  const paths = instancePaths(home, 'bare');
  const places = placesOf(paths);
  mkdirSync(paths.dir, { recursive: true });
  const driver = createQemuDriver({ probeCache: probes });
  try {
    return await timed(async () => {
      await cloneDisk(image, paths.disk);
      const disks = [
        { serial: 'sbx-root', path: paths.disk, format: 'qcow2' as const, readonly: false, backing: image.backing },
        image.runtimeDisk,
      ];
      await driver.restore(
        { cpus: 2, memoryBytes: 1024 ** 3, kernel: image.kernel, initrd: image.initrd, cmdline: '', disks, mounts: [] },
        image.warm,
        places,
      );
      await using guest = await GuestConnection.connect(paths.agent, {
        fresh: true,
        signal: AbortSignal.timeout(60_000),
      });
      const child = guest.exec({ argv: ['/bin/true'], cwd: '/', stdin: false });
      child.stdout.resume();
      child.stderr.resume();
      await child.exit;
    });
  } finally {
    await driver.destroy(places);
    rmSync(root, { recursive: true, force: true });
  }
}
