/** Hosts that are not as they should be. Namespaces of the test's own stand for them, so that an ordinary user can make them. */
import { execFile } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { homeOf } from '../../../lib/paths.ts';
import { Records } from '../../../lib/state/records.ts';
import { HOME, json, must, type Project, project, SBX, SMALL, type Status, sbx, statusOf, until } from '../harness.ts';

let dir: string;
let p: Project;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-t-'));
  p = project('trouble', `version = 1\n${SMALL}`);
  await must(['apply', '--yes'], { cwd: p.dir });
});
afterAll(async () => {
  await p?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

/** A shell in its own user and mount namespace, where it is root; everything it starts ends with it. */
function inNamespace(script: string, args: string[] = []): Promise<{ code: number; stdout: string; stderr: string }> {
  const unshare = ['--user', '--map-root-user', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  return new Promise((resolve) => {
    execFile('unshare', [...unshare, 'sh', '-c', script, 'sh', ...args], (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : 1, stdout, stderr }),
    );
  });
}

/** `sbx` inside, with a state folder of its own; its daemon ends with the namespace. */
const command = (home: string, before: string, args: string) =>
  `export SBX_HOME=${home}; mkdir -p -m 700 ${home}; ${before}; exec ${SBX} ${args}`;

describe('a full disk of the host', () => {
  test('gives a clear error during a bake, and nothing is left over', async () => {
    const home = join(dir, 'full');
    const { image } = new Records(homeOf({ SBX_HOME: HOME })).require((await statusOf(p.dir)).id);
    // What comes before the bake is there already; the bake's own disk finds little space.
    const parents = (image?.chain ?? [])
      .filter(({ kind }) => ['kernel', 'runtime', 'base'].includes(kind))
      .map(({ kind, key }) => `${kind}-${key}`);
    const binds = parents.map((name) => `mkdir $s/${name}; mount --bind ${HOME}/store/${name} $s/${name}`);
    const before = `mount -t tmpfs -o size=5m,mode=700 tmpfs ${home}; s=${home}/store; mkdir -m 700 $s; ${binds.join('; ')}`;
    const apply = command(home, before, `apply --yes --json --project ${p.dir}`).replace('exec ', '');
    const result = await inNamespace(`${apply}; code=$?; ls $s $s/tmp >&2; exit $code`);
    expect(JSON.parse(result.stdout).error).toMatchObject({
      code: 'no-space',
      hint: expect.stringContaining('sbx gc'),
    });
    expect(result.code).toBe(1);
    expect(result.stderr).not.toMatch(/packages-/);
  });

  test('makes a VM that writes wait until there is space', async () => {
    const { image, target } = new Records(homeOf({ SBX_HOME: HOME })).require((await statusOf(p.dir)).id);
    // Beside the packages that it needs.
    const script = join(process.cwd(), 'node_modules', `.sbx-full-disk-${process.pid}.mjs`);
    await build({
      entryPoints: ['test/e2e/resilience/full-disk.ts'],
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20.19',
      packages: 'external',
      outfile: script,
      logLevel: 'error',
    });
    const facts = join(dir, 'image.json');
    const { cpus, memoryBytes } = target.resources;
    writeFileSync(facts, JSON.stringify({ image, cpus, memoryBytes }));
    mkdirSync(join(dir, 'vm'));
    try {
      const result = await inNamespace('exec "$@"', [process.execPath, script, facts, join(dir, 'vm')]);
      expect(result).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\{/) });
      const seen = JSON.parse(result.stdout);
      expect(seen).toMatchObject({ waited: true, code: 0, health: 'running' });
      expect(seen.sums).toHaveLength(2);
      expect(seen.sums[0]).toBe(seen.sums[1]);
    } finally {
      rmSync(script, { force: true });
    }
  });
});

test('without user namespaces, the error says how to get a jail', async () => {
  const home = join(dir, 'nouser');
  // As many as the shell needs for itself, none for a jail.
  const result = await inNamespace(
    `echo 0 >/proc/sys/user/max_user_namespaces; ${command(home, ':', 'doctor --json')}`,
  );
  expect(result.code).toBe(1);
  const { checks } = JSON.parse(result.stdout) as { checks: { name: string; status: string; fix?: string }[] };
  expect(checks.find(({ name }) => name === 'user namespaces')).toMatchObject({
    status: 'failed',
    fix: expect.stringMatching(/userns|namespaces/),
  });
});

test('without user namespaces, apply fails before it builds anything', async () => {
  const home = join(dir, 'nojail');
  const result = await inNamespace(
    `echo 0 >/proc/sys/user/max_user_namespaces; cd ${p.dir}; ${command(home, ':', 'apply --yes --json')}`,
  );
  expect(result.code).not.toBe(0);
  expect(JSON.parse(result.stdout).error).toMatchObject({ code: 'no-jail', hint: expect.stringContaining('doctor') });
  expect(readdirSync(join(home, 'store')).filter((name) => name.includes('-'))).toEqual([]);
});

test('VMs are baked, cloned and reached in a state folder with a long path', async () => {
  // As long as the daemon's own socket allows: the sockets of machines lie deeper.
  const home = join(dir, 'y'.repeat(90 - dir.length - 1));
  mkdirSync(home, { mode: 0o700 });
  symlinkSync(join(HOME, 'store'), join(home, 'store'));
  const env = { SBX_HOME: home };
  // Of a size that no other test has: its snapshot is made here.
  await using own = project('long', `version = 1\n${SMALL.replace(/memory = .*/, 'memory = "520MiB"')}`);
  try {
    await must(['apply', '--yes'], { cwd: own.dir, env });
    expect((await must(['exec', '--', 'echo', 'reached'], { cwd: own.dir, env })).stdout).toBe('reached\n');
  } finally {
    await sbx(['rm', '--all', '--yes'], { cwd: own.dir, env });
    await sbx(['daemon', 'stop'], { cwd: own.dir, env });
  }
});

test('an error names the fix for a socket path that is too long', async () => {
  const home = join(dir, 'x'.repeat(120));
  const result = await sbx(['apply', '--yes', '--json'], { cwd: p.dir, env: { SBX_HOME: home } });
  expect(result.code).not.toBe(0);
  expect(JSON.parse(result.stdout).error).toMatchObject({ hint: expect.stringContaining('SBX_HOME') });
});

test('an error names the fix for a missing QEMU', async () => {
  const home = join(dir, 'noqemu');
  const env = { SBX_HOME: home, SBX_QEMU: '/nonexistent/qemu-system-x86_64' };
  const result = await sbx(['apply', '--yes', '--json'], { cwd: p.dir, env });
  await sbx(['daemon', 'stop'], { cwd: p.dir, env });
  expect(result.code).not.toBe(0);
  expect(JSON.parse(result.stdout).error).toMatchObject({
    code: 'tool-missing',
    hint: expect.stringContaining('doctor'),
  });
});

test('another build of QEMU does not use the snapshots of the first, and keeps the disks', async () => {
  // The same program as a file of its own: to sbx another build.
  const other = join(dir, 'qemu/bin/qemu-system-x86_64');
  mkdirSync(dirname(other), { recursive: true });
  for (const name of ['share', 'lib']) symlinkSync(`/usr/${name}`, join(dir, 'qemu', name));
  copyFileSync('/usr/bin/qemu-system-x86_64', other);
  chmodSync(other, 0o755);
  await must(['exec', '--', 'sh', '-c', 'echo kept >~/kept'], { cwd: p.dir });
  const first = (await statusOf(p.dir)).snapshot;
  await must(['stop'], { cwd: p.dir });
  await must(['daemon', 'stop'], { cwd: p.dir });
  const env = { SBX_QEMU: other };
  try {
    // The stopped sandbox starts on its own disk; what is made anew gets a snapshot of the new build.
    await must(['start'], { cwd: p.dir, env });
    expect((await must(['exec', '--', 'sh', '-c', 'cat ~/kept'], { cwd: p.dir, env })).stdout).toBe('kept\n');
    await must(['reset', '--yes'], { cwd: p.dir, env });
    const detail = await json<Status>(['inspect'], { cwd: p.dir, env });
    expect(detail.snapshot).not.toBe(first);
    expect((await must(['exec', '--', 'echo', 'up'], { cwd: p.dir, env })).stdout).toBe('up\n');
    expect(readFileSync(`/proc/${detail.pid}/cmdline`, 'utf8')).toContain(other);
  } finally {
    await must(['daemon', 'stop'], { cwd: p.dir, env });
    await until(async () => (await statusOf(p.dir)).state !== undefined);
  }
});
