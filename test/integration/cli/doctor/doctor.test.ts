import { execFile } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeEach, expect, test } from 'vitest';

const SBX = fileURLToPath(new URL('../../../../bin/sbx', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'sbx-doctor-'));
const bin = join(dir, 'bin');
const log = join(dir, 'log');
afterAll(() => rmSync(dir, { recursive: true }));

/** A host without socat. APT stands behind a test double: what it would install is not taken from the machine of the test. */
beforeEach(() => {
  rmSync(bin, { recursive: true, force: true });
  rmSync(log, { force: true });
  mkdirSync(bin);
  for (const name of readdirSync('/usr/bin'))
    if (!['socat', 'apt-get', 'sudo'].includes(name)) symlinkSync(join('/usr/bin', name), join(bin, name));
  double('sudo', 'exec "$@"');
});

function double(name: string, script: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, name), 0o755);
}

const apt = (install: string) =>
  double(
    'apt-get',
    `case $1 in update) echo "$*" >>${log}; echo updating; exit 100;; install) echo "$*" >>${log}; echo installing; ${install};; *) exec /usr/bin/apt-get "$@";; esac`,
  );

function doctor(...flags: string[]) {
  const env = { ...process.env, PATH: bin, SBX_HOME: join(dir, 'home') };
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile(process.execPath, [SBX, 'doctor', ...flags], { env }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
    );
  });
}

test('a missing tool fails with its fix', async () => {
  apt('exit 1');
  const { code, stdout } = await doctor();
  expect(code).toBe(1);
  expect(stdout).toMatch(/FAILED {2}socat: missing; it .*\n +fix: install the package socat/);
  expect(JSON.parse((await doctor('--json')).stdout)).toMatchObject({ ok: false });
});

test('of hardware virtualisation it says what the probe found that each start of a VM asks', async () => {
  apt('exit 1');
  const { stdout } = await doctor();
  const { reason } = JSON.parse(readFileSync(join(dir, 'home', 'probes.json'), 'utf8'));
  expect(reason).toMatch(/kvm|processor/);
  expect(stdout).toContain(`hardware virtualisation: ${reason}`);
});

test('--fix installs only what is missing, and checks again', async () => {
  apt(`ln -s /usr/bin/socat ${bin}/socat`);
  const { code, stdout, stderr } = await doctor('--fix', '--json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ ok: true });
  expect(stderr).toContain('installing');
  expect(readFileSync(log, 'utf8').trim().split('\n')).toEqual([
    'update -q',
    'install -y --no-install-recommends socat',
  ]);
});

test('--fix where nothing is missing installs nothing', async () => {
  apt('exit 1');
  symlinkSync('/usr/bin/socat', join(bin, 'socat'));
  expect((await doctor('--fix')).code).toBe(0);
  expect(readdirSync(dir)).not.toContain('log');
});

test('--fix that fails reports the failed command and the manual fix', async () => {
  apt('exit 100');
  const { code, stdout } = await doctor('--fix', '--json');
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    error: {
      code: 'tool-missing',
      why: expect.stringContaining('exited with code 100'),
      hint: 'install them manually: socat',
    },
  });
});
