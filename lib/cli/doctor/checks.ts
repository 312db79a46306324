/** What a host needs, each check with its cure. Also used by the set-up scripts. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { access, constants, statfs } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import type { Home } from '../../paths.ts';
import { ensurePrivateDir, instancePaths } from '../../paths.ts';
import { pathWithTools } from '../../process.ts';

export interface CheckResult {
  name: string;
  status: 'ok' | 'warning' | 'failed';
  message: string;
  /** What to do */
  cure?: string;
  /** Debian packages that mend it */
  packages?: string[];
}

const call = promisify(execFile);

const TOOLS: [program: string, pkg: string, why: string][] = [
  ['qemu-system-x86_64', 'qemu-system-x86', 'runs the virtual machines'],
  ['qemu-img', 'qemu-utils', 'makes their disks'],
  ['socat', 'socat', 'joins their network to the gateway'],
  ['bwrap', 'bubblewrap', 'jails them'],
  ['mmdebstrap', 'mmdebstrap', 'builds base images'],
  ['newuidmap', 'uidmap', 'lets ordinary users build them'],
  ['fakeroot', 'fakeroot', 'keeps the owners of their files'],
  ['mke2fs', 'e2fsprogs', 'makes their file systems'],
  ['depmod', 'kmod', 'orders the modules of their kernel'],
  ['fallocate', 'util-linux', 'keeps snapshots small'],
  ['xz', 'xz-utils', 'unpacks modules'],
  ['zstd', 'zstd', 'unpacks modules'],
  ['git', 'git', 'tells what of a workspace it would run'],
];

const DISK_MIN_GIB = 5;

export async function runChecks(home: Home): Promise<CheckResult[]> {
  return [
    nodeCheck(),
    ...TOOLS.map(toolCheck),
    await userNamespaces(),
    subordinateIds(),
    await aptSources(),
    await stateFolder(home),
    await diskSpace(home),
    socketLength(home),
    await accelerator(),
  ];
}

function nodeCheck(): CheckResult {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const fine = major > 20 || (major === 20 && minor >= 19);
  return {
    name: 'Node.js',
    status: fine ? 'ok' : 'failed',
    message: `version ${process.versions.node}`,
    ...(fine ? {} : { cure: 'install Node.js 20.19 or newer' }),
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
    ...(found ? {} : { cure: `install the package ${pkg}`, packages: [pkg] }),
  };
}

/** Makes a jail like the real one, around nothing. */
async function userNamespaces(): Promise<CheckResult> {
  const name = 'user namespaces';
  try {
    await call('bwrap', [
      '--unshare-user',
      '--unshare-pid',
      '--unshare-net',
      '--cap-drop',
      'ALL',
      '--ro-bind',
      '/usr',
      '/usr',
      '--symlink',
      'usr/lib',
      '/lib',
      '--symlink',
      'usr/lib64',
      '/lib64',
      '/usr/bin/true',
    ]);
    return { name, status: 'ok', message: 'a jail can be made' };
  } catch (error) {
    const why = error instanceof Error ? (error.message.split('\n')[1] ?? error.message) : String(error);
    return {
      name,
      status: 'failed',
      message: `no jail can be made: ${why}`,
      cure: 'sysctl kernel.unprivileged_userns_clone=1, or on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0; in a container: run it with user namespaces allowed',
    };
  }
}

function subordinateIds(): CheckResult {
  const name = 'subordinate ids';
  const { uid, username } = userInfo();
  if (uid === 0) return { name, status: 'ok', message: 'not needed by root' };
  const has = ['/etc/subuid', '/etc/subgid'].every(
    (file) =>
      existsSync(file) &&
      readFileSync(file, 'utf8')
        .split('\n')
        .some((line) => line.startsWith(`${username}:`) || line.startsWith(`${uid}:`)),
  );
  return {
    name,
    status: has ? 'ok' : 'failed',
    message: has ? `${username} has a range` : `${username} has no range in /etc/subuid and /etc/subgid`,
    ...(has ? {} : { cure: `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${username}` }),
  };
}

async function aptSources(): Promise<CheckResult> {
  const name = 'APT sources';
  const answer = await call('apt-get', [
    'indextargets',
    '--no-release-info',
    '--format',
    '$(REPO_URI)',
    'Created-By: Packages',
  ]).catch(() => undefined);
  const count = new Set(answer?.stdout.split('\n').filter(Boolean)).size;
  return {
    name,
    status: count > 0 ? 'ok' : 'failed',
    message: `${count} named by the host's own configuration`,
    ...(count > 0 ? {} : { cure: 'name a mirror in /etc/apt/sources.list, or set SBX_APT_MIRROR' }),
  };
}

async function stateFolder(home: Home): Promise<CheckResult> {
  const name = 'state folder';
  try {
    await access(ensurePrivateDir(home.root), constants.R_OK | constants.W_OK | constants.X_OK);
    return { name, status: 'ok', message: home.root };
  } catch (error) {
    return {
      name,
      status: 'failed',
      message: error instanceof Error ? error.message : String(error),
      cure: 'set SBX_HOME to a folder that is yours to write',
    };
  }
}

async function diskSpace(home: Home): Promise<CheckResult> {
  const name = 'disk space';
  const dir = existsSync(home.root) ? home.root : tmpdir();
  const { bavail, bsize } = await statfs(dir);
  const gib = (bavail * bsize) / 1024 ** 3;
  return {
    name,
    status: gib >= DISK_MIN_GIB ? 'ok' : 'warning',
    message: `${gib.toFixed(1)} GiB free for ${home.root}`,
    ...(gib >= DISK_MIN_GIB ? {} : { cure: 'free some space (`sbx gc`), or set SBX_HOME to another disk' }),
  };
}

function socketLength(home: Home): CheckResult {
  const name = 'socket paths';
  try {
    instancePaths(home, '0'.repeat(12));
    return { name, status: 'ok', message: 'short enough' };
  } catch (error) {
    return {
      name,
      status: 'failed',
      message: error instanceof Error ? error.message : String(error),
      cure: 'set SBX_HOME to a shorter folder',
    };
  }
}

async function accelerator(): Promise<CheckResult> {
  const name = 'hardware virtualisation';
  const usable = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  const flags = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '';
  const seen = /^flags\s*:.*\b(vmx|svm)\b/m.test(flags);
  if (usable && seen) return { name, status: 'ok', message: '/dev/kvm is there; a probe guest decides' };
  const why = usable ? 'the processor shows no vmx or svm' : '/dev/kvm is not usable for this user';
  return {
    name,
    status: 'warning',
    message: `${why}: machines are emulated, which works but is slower`,
    ...(usable
      ? {}
      : {
          cure: `usermod --append --groups kvm ${userInfo().username}, if this machine has a /dev/kvm; then log in again`,
        }),
  };
}
