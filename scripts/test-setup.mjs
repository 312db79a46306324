/**
 * Prepares what the tests need: an ordinary user if they run as root, the shells that have completions, and the servers that VMs connect to.
 * The servers are unpacked into a separate folder and never installed, so that no service starts on this host.
 */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ensurePrograms, must, run, say } from '../bin/setup.mjs';

export const TEST_USER = 'sbx-test';

const isRoot = process.getuid() === 0;
/** Readable by every user: root's tests run servers as the test user. */
const FOLDER = isRoot ? '/var/cache/sbx-test-servers' : join(homedir(), '.cache', 'sbx-test-servers');

const PACKAGES = ['openssh-server', 'postgresql', 'docker-registry'];
/** Program → its path in the package; `*`: the newest version */
const PROGRAMS = {
  sshd: 'usr/sbin/sshd',
  'ssh-keygen': 'usr/bin/ssh-keygen',
  initdb: 'usr/lib/postgresql/*/bin/initdb',
  postgres: 'usr/lib/postgresql/*/bin/postgres',
  'docker-registry': 'usr/bin/docker-registry',
};

/** Creates the test user, with subordinate ids. */
export function ensureTestUser() {
  if (!isRoot) return;
  if (run('id', [TEST_USER], { stdio: 'ignore' }) !== 0)
    must('useradd', ['--create-home', '--shell', '/bin/bash', TEST_USER]);
  if (!readFileSync('/etc/subuid', 'utf8').includes(`${TEST_USER}:`))
    must('usermod', ['--add-subuids', '200000-265535', '--add-subgids', '200000-265535', TEST_USER]);
  writeFileSync(join('/home', TEST_USER, '.gitconfig'), '[user]\n\tname = sbx test\n\temail = test@localhost\n');
}

/** Installs shellcheck, groff, the clients that connect to a sandbox by ssh, the makers of images, and the shells: they look for their functions and settings at the paths of their packages. */
export function ensureTools() {
  ensurePrograms({
    zsh: 'zsh',
    fish: 'fish',
    shellcheck: 'shellcheck',
    groff: 'groff-base',
    ssh: 'openssh-client',
    rsync: 'rsync',
    umoci: 'umoci',
    skopeo: 'skopeo',
  });
}

/** Writes a script for each program to `bin/` in the folder; it starts the real one with the unpacked libraries. */
export function ensureServers() {
  const bin = join(FOLDER, 'bin');
  if (Object.keys(PROGRAMS).every((name) => existsSync(join(bin, name)))) return;
  say(`unpacking ${PACKAGES.join(', ')} for the tests`);
  rmSync(FOLDER, { recursive: true, force: true });
  const [archives, unpacked] = [join(FOLDER, 'archives'), join(FOLDER, 'root')];
  for (const folder of [FOLDER, unpacked, bin]) openFolder(folder);
  mkdirSync(join(archives, 'partial'), { recursive: true });
  fetchMissing(archives);
  for (const name of readdirSync(archives).filter((entry) => entry.endsWith('.deb')))
    must('dpkg-deb', ['--extract', join(archives, name), unpacked]);
  rmSync(archives, { recursive: true, force: true });
  const libraries = librariesIn(unpacked);
  for (const [name, place] of Object.entries(PROGRAMS)) {
    const program = find(unpacked, place) ?? find('/', place);
    if (program === undefined) throw new Error(`no ${place} in ${PACKAGES.join(', ')}`);
    const file = join(bin, name);
    const own = name === 'sshd' ? sshdParts(unpacked) : '';
    const path = libraries.length > 0 ? `export LD_LIBRARY_PATH="${libraries.join(':')}"\n` : '';
    writeFileSync(file, `#!/bin/sh\n${path}exec "${program}"${own} "$@"\n`);
    chmodSync(file, 0o755);
  }
}

/** Creates a folder with mode 755, independent of the umask. */
function openFolder(folder) {
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o755);
}

/** Downloads the packages and the dependencies that this host lacks. Takes no lock, as nothing is installed. */
function fetchMissing(archives) {
  const args = [
    'install',
    '-y',
    '-q',
    '--no-install-recommends',
    '--download-only',
    ...['-o', `Dir::Cache::archives=${archives}`, '-o', 'Debug::NoLocking=1'],
    '--',
    ...PACKAGES,
  ];
  if (run('apt-get', args) === 0) return;
  // The package lists are missing or out of date.
  must(...(isRoot ? ['apt-get', ['update', '-q']] : ['sudo', ['apt-get', 'update', '-q']]));
  must('apt-get', args);
}

function librariesIn(unpacked) {
  const triplet = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' }[process.arch];
  return ['usr/lib', 'lib'].map((folder) => join(unpacked, folder, triplet)).filter((folder) => existsSync(folder));
}

/** Options for sshd of Debian 13 and later, which runs helper programs from the package's install path. */
function sshdParts(unpacked) {
  const parts = { SshdSessionPath: 'sshd-session', SshdAuthPath: 'sshd-auth' };
  return Object.entries(parts)
    .map(([option, name]) => [option, join(unpacked, 'usr/lib/openssh', name)])
    .filter(([, file]) => existsSync(file))
    .map(([option, file]) => ` -o "${option}=${file}"`)
    .join('');
}

function find(root, place) {
  const [before, after] = place.split('*');
  if (after === undefined) return existsSync(join(root, place)) ? join(root, place) : undefined;
  const versions = existsSync(join(root, before)) ? readdirSync(join(root, before)) : [];
  const newest = versions.toSorted((a, b) => Number(b) - Number(a))[0];
  const found = newest === undefined ? undefined : join(root, before, newest, after);
  return found !== undefined && existsSync(found) ? found : undefined;
}
