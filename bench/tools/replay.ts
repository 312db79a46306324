/** Measures the floor of every start: the same snapshot, resumed without sbx. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DaemonClient } from '../../lib/api/client.ts';
import { GuestConnection } from '../../lib/guest/client/connection.ts';
import { cloneDisk, type WarmImage } from '../../lib/image/warm/warm-image.ts';
import { homeOf, instancePaths } from '../../lib/paths.ts';
import { Records } from '../../lib/state/records.ts';
import { createQemuDriver } from '../../lib/vm/qemu/driver.ts';
import { timed } from './table.ts';
import type { World } from './world.ts';

/** The image of the world's sandbox. */
export async function imageOf(world: World): Promise<{ image: WarmImage; probes: string }> {
  const home = homeOf({ SBX_HOME: world.home });
  const all = await new DaemonClient({ socketPath: home.daemon.socket }).list();
  const sandbox = all.find(({ projectDir }) => projectDir === world.dir);
  const image = new Records(home).require(sandbox?.id ?? '').image;
  if (image === null) throw new Error('the bench project is not applied');
  return { image, probes: home.probes };
}

/** QEMU in its jail, the snapshot, one command: nothing else of sbx. The sandbox of the world has 2 processors and 1 GiB. */
export async function replay(image: WarmImage, probes: string, argv: string[]): Promise<number> {
  const root = mkdtempSync(join(tmpdir(), 'sbx-r-'));
  const home = homeOf({ SBX_HOME: root });
  const paths = instancePaths(home, 'bare');
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
        { cpus: 2, memoryBytes: 1024 ** 3, kernel: image.kernel, initrd: image.initrd, cmdline: '', disks },
        image.warm,
        paths,
      );
      await using guest = await GuestConnection.connect(paths.agent, {
        fresh: true,
        signal: AbortSignal.timeout(60_000),
      });
      const child = guest.exec({ argv, cwd: '/', stdin: false });
      child.stdout.resume();
      child.stderr.resume();
      await child.exit;
    });
  } finally {
    await driver.destroy(paths);
    rmSync(root, { recursive: true, force: true });
  }
}
