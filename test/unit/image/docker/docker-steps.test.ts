/** The installation of Docker against an APT of some lines: what it installs of each release, and what it configures. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { dockerSteps } from '../../../../lib/image/docker/docker-steps.ts';

const BOOKWORM = ['docker.io', 'iptables', 'kmod', 'docker-compose'];

test.each([
  ['an older release', BOOKWORM, 'docker.io iptables kmod docker-compose'],
  [
    'a later Debian',
    [...BOOKWORM, 'docker-cli', 'docker-buildx'],
    'docker.io iptables kmod docker-cli docker-buildx docker-compose',
  ],
  [
    'Ubuntu',
    [...BOOKWORM, 'docker-buildx', 'docker-compose-v2'],
    'docker.io iptables kmod docker-buildx docker-compose-v2',
  ],
])('%s: the engine with what it has of the client, Buildx and Compose', (_name, has, installed) => {
  const ran = runInstall(has);
  expect(ran.apt.find((line) => line.includes(' install '))).toMatch(new RegExp(` install -- ${installed}$`));
  expect(ran.apt.at(-1)).toBe('clean');
});

test('containers are limited together, and ask the guest for names', () => {
  const { daemon, plugin } = runInstall(BOOKWORM);
  expect(JSON.parse(daemon)).toMatchObject({ 'cgroup-parent': '/work/docker', dns: ['10.0.2.15'] });
  // `docker compose up` is the program of its own
  expect(plugin).toContain('exec docker-compose "$@"');
});

/** Runs the script with the system's folders below a temporary one. */
function runInstall(packages: string[]) {
  const dir = mkdtempSync(join(tmpdir(), 'sbx-docker-'));
  try {
    const bin = join(dir, 'bin');
    mkdirSync(bin);
    const program = (name: string, text: string) =>
      writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    program('apt-cache', `case " ${packages.join(' ')} " in *" $2 "*) ;; *) exit 100 ;; esac`);
    program('apt-get', `echo "$*" >> ${dir}/apt`);
    program('docker', 'exit 1');
    program('usermod', '');
    const [, , script = ''] = dockerSteps().at(-1)?.argv ?? [];
    const moved = script.replaceAll(/(?<=[\s=])\/(etc|usr)\//g, `${dir}/$1/`);
    execFileSync('/bin/sh', ['-c', moved], { env: { PATH: `${bin}:${process.env['PATH']}` } });
    const read = (path: string) => readFileSync(join(dir, path), 'utf8');
    return {
      apt: read('apt').trim().split('\n'),
      daemon: read('etc/docker/daemon.json'),
      plugin: read('usr/local/lib/docker/cli-plugins/docker-compose'),
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
