/** Makes the disk of an emulated host: a Debian system with a kernel and the package of sbx. */
import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HOST_PACKAGES } from '../../lib/cli/doctor/tools.ts';
import { createCleanRoot } from './clean-root.ts';

export interface HostDisk {
  disk: string;
  kernel: string;
  initrd: string;
}

const DISK_BYTES = 16 * 1024 ** 3;
const PACKAGES = [...new Set([...HOST_PACKAGES, 'linux-image-amd64', 'iproute2', 'procps', 'tini'])];
const FILES = ['host-init.sh', 'host-control.mjs'];

/** @param archive of `npm pack`; `dir` gets the files. Needs root. */
export async function makeHostDisk(suite: string, archive: string, dir: string): Promise<HostDisk> {
  using root = await createCleanRoot(suite, PACKAGES);
  const inside = (script: string) => {
    const answer = root.run('root', script);
    if (answer.code !== 0) throw new Error(`${script}: ${answer.stdout}${answer.stderr}`);
  };
  root.put(archive, 'srv/sbx.tgz');
  for (const name of FILES) root.put(fileURLToPath(new URL(name, import.meta.url)), `srv/${name}`);
  inside('npm install --global --prefer-offline --cache /var/cache/npm /srv/sbx.tgz');
  inside('chmod 755 /srv/host-init.sh; usermod --append --groups kvm ada; chown -R ada:ada /home/ada');
  const disk = join(dir, 'disk');
  execFileSync('mke2fs', ['-q', '-t', 'ext4', '-d', root.dir, disk, String(DISK_BYTES / 1024)]);
  return { disk, kernel: bootFile('vmlinuz-'), initrd: bootFile('initrd.img-') };

  function bootFile(prefix: string): string {
    const name = readdirSync(join(root.dir, 'boot')).find((one) => one.startsWith(prefix)) ?? prefix;
    cpSync(join(root.dir, 'boot', name), join(dir, name));
    return join(dir, name);
  }
}
