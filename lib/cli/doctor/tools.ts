/** Checks the programs that the host needs, and its package sources. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run } from '../../system/run-tool.ts';
import { pathWithTools } from '../../system/tool-path.ts';
import type { CheckResult } from './check-result.ts';

const TOOLS: [program: string, pkg: string, why: string][] = [
  ['qemu-system-x86_64', 'qemu-system-x86', 'runs the VMs'],
  ['qemu-img', 'qemu-utils', 'creates their disks'],
  ['socat', 'socat', 'connects their network to the gateway'],
  ['bwrap', 'bubblewrap', 'jails them'],
  ['mmdebstrap', 'mmdebstrap', 'builds base images'],
  ['newuidmap', 'uidmap', 'lets ordinary users build them'],
  ['fakeroot', 'fakeroot', 'keeps the owners of their files'],
  ['mke2fs', 'e2fsprogs', 'creates their file systems'],
  ['depmod', 'kmod', 'indexes the modules of their kernel'],
  ['fallocate', 'util-linux', 'keeps snapshots small'],
  ['xz', 'xz-utils', 'unpacks modules'],
  ['zstd', 'zstd', 'unpacks modules'],
  ['git', 'git', 'lists the files of a workspace that git would run'],
];

/** Debian packages with everything that a host needs besides Node.js */
export const HOST_PACKAGES = TOOLS.map(([, pkg]) => pkg);

export function toolChecks(): CheckResult[] {
  return [nodeCheck(), ...TOOLS.map(toolCheck)];
}

function nodeCheck(): CheckResult {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const fine = major > 20 || (major === 20 && minor >= 19);
  return {
    name: 'Node.js',
    status: fine ? 'ok' : 'failed',
    message: `version ${process.versions.node}`,
    ...(fine ? {} : { fix: 'install Node.js 20.19 or newer' }),
  };
}

function toolCheck([program, pkg, why]: (typeof TOOLS)[number]): CheckResult {
  const found = pathWithTools(process.env['PATH'])
    .split(delimiter)
    .some((dir) => existsSync(join(dir, program)));
  return {
    name: program,
    status: found ? 'ok' : 'failed',
    message: found ? why : `missing; it ${why}`,
    ...(found ? {} : { fix: `install the package ${pkg}`, packages: [pkg] }),
  };
}

export async function aptSources(): Promise<CheckResult> {
  const name = 'APT sources';
  const stdout = await run('apt-get', [
    'indextargets',
    '--no-release-info',
    '--format',
    '$(REPO_URI)',
    'Created-By: Packages',
  ]).catch(() => '');
  const count = new Set(stdout.split('\n').filter(Boolean)).size;
  return {
    name,
    status: count > 0 ? 'ok' : 'failed',
    message: `${count} in the configuration of this host`,
    ...(count > 0 ? {} : { fix: 'add a mirror to /etc/apt/sources.list, or set SBX_APT_MIRROR' }),
  };
}
