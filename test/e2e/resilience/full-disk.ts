/**
 * Runs a VM whose disk is on a file system that fills up, and prints one JSON line of observations. Needs separate namespaces (`unshare`) to be
 * allowed to mount. Arguments: the image's JSON file, a folder.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { GuestConnection } from '../../../lib/guest/client/connection.ts';
import { cloneDisk, type WarmImage } from '../../../lib/image/warm/warm-image.ts';
import { homeOf, instancePaths } from '../../../lib/paths.ts';
import { createQemuDriver } from '../../../lib/vm/qemu/driver.ts';

const [imageFile = '', root = ''] = process.argv.slice(2);
const { image, cpus, memoryBytes } = JSON.parse(readFileSync(imageFile, 'utf8')) as {
  image: WarmImage;
  cpus: number;
  memoryBytes: number;
};
const paths = instancePaths(homeOf({ SBX_HOME: root }), 'full');
const places = paths;
mkdirSync(paths.dir, { recursive: true });
execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m,mode=700', 'tmpfs', paths.dir]);
const driver = createQemuDriver({ probeCache: `${root}/probes.json` });
try {
  await cloneDisk(image, paths.disk);
  const disks = [
    { serial: 'sbx-root', path: paths.disk, format: 'qcow2' as const, readonly: false, backing: image.backing },
    image.runtimeDisk,
  ];
  const { kernel, initrd } = image;
  await driver.restore({ cpus, memoryBytes, kernel, initrd, cmdline: '', disks }, image.warm, places);
  const signal = AbortSignal.timeout(120_000);
  await using guest = await GuestConnection.connect(places.agent, { fresh: true, signal });
  const write =
    'head -c 40000000 /dev/urandom >/big && sync && sha256sum </big && echo 3 >/proc/sys/vm/drop_caches && sha256sum </big';
  const child = guest.exec({ argv: ['/bin/sh', '-c', write], user: 'root', cwd: '/', stdin: false });
  const lines: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => lines.push(chunk));
  child.stderr.resume();
  let ended = false;
  const exit = child.exit.finally(() => {
    ended = true;
  });
  while (!ended && (await driver.health(places)) !== 'disk-full') await sleep(100);
  const waited = !ended;
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'remount,size=400m', 'tmpfs', paths.dir]);
  await driver.resume(places);
  const { code } = await exit;
  const sums = Buffer.concat(lines).toString().trim().split('\n');
  process.stdout.write(`${JSON.stringify({ waited, code, health: await driver.health(places), sums })}\n`);
} finally {
  await driver.destroy(places);
}
