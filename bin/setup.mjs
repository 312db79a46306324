/** Installs missing tools and packages, then builds; shared by quickstart and `npm test`. Imports only Node's own modules: packages may be missing. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** Program → Debian package */
const TOOLS = {
  'qemu-system-x86_64': 'qemu-system-x86',
  'qemu-img': 'qemu-utils',
  socat: 'socat',
  bwrap: 'bubblewrap',
  mmdebstrap: 'mmdebstrap',
  newuidmap: 'uidmap',
  fakeroot: 'fakeroot',
  mke2fs: 'e2fsprogs',
  depmod: 'kmod',
  fallocate: 'util-linux',
  setpriv: 'util-linux',
  xz: 'xz-utils',
  zstd: 'zstd',
  git: 'git',
  apt: 'apt',
};

export function say(text) {
  process.stdout.write(`\n== ${text}\n`);
}

export function run(command, args, options = {}) {
  const { status, signal, error } = spawnSync(command, args, { stdio: 'inherit', cwd: root, ...options });
  if (error) throw new Error(`${command}: ${error.message}`);
  return status ?? 128 + (signal === 'SIGINT' ? 2 : 15);
}

export function must(command, args, options) {
  const status = run(command, args, options);
  if (status !== 0) {
    process.stderr.write(`\n${command} ${args.join(' ')} exited with ${status}\n`);
    process.exit(status);
  }
}

export function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  process.stderr.write(
    `sbx needs Node.js 20.19 or newer; this is ${process.versions.node}\nwhat to do: install a newer Node.js and run this again\n`,
  );
  process.exit(1);
}

export function installTools() {
  ensurePrograms(TOOLS);
}

/** Installs the packages of missing programs; `wanted`: program → Debian package. */
export function ensurePrograms(wanted) {
  const dirs = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  const missing = Object.entries(wanted).filter(([program]) => !dirs.some((dir) => existsSync(join(dir, program))));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map(([, pkg]) => pkg))];
  say(`installing ${packages.join(', ')}`);
  const sudo = process.getuid() === 0 ? [] : ['sudo'];
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...args) => must([...sudo, 'apt-get'][0], [...sudo, 'apt-get', ...args].slice(1), { env });
  apt('update', '-q');
  apt('install', '-y', '-q', '--no-install-recommends', ...packages);
}

/** Installs the npm packages once for each lockfile. */
export function installPackages() {
  const stamp = join(root, 'node_modules', '.sbx-lock');
  const want = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === want) return;
  say('installing the packages of package-lock.json');
  must('npm', ['ci', '--no-audit', '--no-fund']);
  // npm links the guest's Node package as `node`, which would shadow the host's in every npm script.
  rmSync(join(root, 'node_modules', '.bin', 'node'), { force: true });
  writeFileSync(stamp, want);
}

export function build() {
  must(process.execPath, ['scripts/build.mjs']);
}

export function setUp() {
  checkNode();
  installTools();
  installPackages();
  build();
}
