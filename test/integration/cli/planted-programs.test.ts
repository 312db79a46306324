import { execFile, execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const SBX = fileURLToPath(new URL('../../../bin/sbx', import.meta.url));
const PLANTED = [
  'node',
  'bash',
  'git',
  'bwrap',
  'socat',
  'qemu-system-x86_64',
  'qemu-img',
  'sh',
  'uname',
  'prlimit',
  'npm',
];
const SYSTEM = `${dirname(process.execPath)}:/usr/bin:/bin`;

let dir = '';
let project = '';
let marker = '';

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-planted-'));
  [project, marker] = [join(dir, 'project'), join(dir, 'ran')];
  for (const folder of [join(project, 'bin'), join(dir, 'tools/bin')]) plantIn(folder);
  writeFileSync(join(project, 'sandbox.toml'), 'version = 1\n');
  symlinkSync(join(project, 'bin'), join(dir, 'link'));
  mkdirSync(join(dir, 'home'), { mode: 0o700 });
  writeFileSync(join(dir, 'home/guest-folders'), `${join(dir, 'tools')}\n`);
});
afterEach(async () => {
  await call('sbx', ['daemon', 'stop'], SYSTEM);
  rmSync(dir, { recursive: true, force: true });
});

function plantIn(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const name of PLANTED) {
    writeFileSync(join(folder, name), `#!/bin/sh\necho "$0" >>'${marker}'\n`);
    chmodSync(join(folder, name), 0o755);
  }
}

function call(
  program: string,
  args: string[],
  path: string,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, PATH: path, SBX_HOME: join(dir, 'home') };
  return new Promise((resolve) => {
    execFile(program === 'sbx' ? SBX : program, args, { cwd: project, env }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : 1, stdout, stderr }),
    );
  });
}

/** What an agent could have put before the folders of the system */
const entries = (): [string, string][] => [
  ['a relative one', 'bin'],
  ['the current folder', '.:'],
  ['one of the project', join(project, 'bin')],
  ['a link to it', join(dir, 'link')],
  ['one with dots', `${project}/../project/bin`],
  ['one of a mounted folder', join(dir, 'tools/bin')],
];

describe('a planted program', () => {
  test('is not the Node that runs sbx, whatever entry of the PATH it is in', async () => {
    for (const [name, entry] of entries()) {
      const result = await call('sbx', ['--version'], `${entry}:${SYSTEM}`);
      expect([name, result]).toEqual([name, { code: 0, stdout: expect.stringMatching(/^\d/), stderr: '' }]);
    }
    expect(existsSync(marker)).toBe(false);
    // Found by the PATH as it is, it would be.
    await call('/bin/sh', ['-c', 'exec node'], `${join(project, 'bin')}:${SYSTEM}`);
    expect(existsSync(marker)).toBe(true);
  });

  test('is not what a shim for `node` runs', async () => {
    const shims = join(dir, 'shims');
    mkdirSync(shims);
    writeFileSync(join(shims, 'node'), `#!/usr/bin/env bash\nexec '${process.execPath}' "$@"\n`);
    chmodSync(join(shims, 'node'), 0o755);
    for (const [name, entry] of entries()) {
      const result = await call('sbx', ['--version'], `${entry}:${shims}:${SYSTEM}`);
      expect([name, result]).toEqual([name, { code: 0, stdout: expect.stringMatching(/^\d/), stderr: '' }]);
    }
    expect(existsSync(marker)).toBe(false);
    // With the PATH as it is, it would be.
    await call(join(shims, 'node'), ['--version'], `${join(project, 'bin')}:${SYSTEM}`);
    expect(existsSync(marker)).toBe(true);
  });

  test('is found as such by each line of the file with the folders of guests, also one without an end', async () => {
    const file = join(dir, 'home/guest-folders');
    const path = `${join(dir, 'tools/bin')}:${SYSTEM}`;
    for (const text of [`\n\n${join(dir, 'tools')}`, `/none\n\n${join(dir, 'tools')}/bin\n\n`]) {
      writeFileSync(file, text);
      expect(await call('sbx', ['--version'], path)).toMatchObject({ code: 0, stderr: '' });
    }
    expect(existsSync(marker)).toBe(false);
    writeFileSync(file, '/\n');
    expect(await call('sbx', ['--version'], path)).toMatchObject({ code: 1 });
    expect(existsSync(marker)).toBe(false);
    writeFileSync(file, '\n');
    await call('sbx', ['--version'], path);
    expect(existsSync(marker)).toBe(true);
  });

  test('is not run by any command, nor by the daemon', async () => {
    const path = `${entries()
      .map(([, entry]) => entry)
      .join(':')}:${SYSTEM}`;
    const commands = [
      ['doctor'],
      ['plan'],
      ['ls'],
      ['inspect'],
      ['gc', '--dry-run'],
      ['net', 'check', 'example.com'],
      ['secret', 'ls'],
      ['exec', '--', 'true'],
      ['template', 'ls'],
    ];
    for (const words of commands) await call('sbx', words, path);
    expect(existsSync(marker)).toBe(false);
  });

  test('has no place in the PATH of Node that a guest could fill later', async () => {
    const print = join(dir, 'print');
    mkdirSync(print);
    writeFileSync(join(print, 'node'), '#!/bin/sh\necho "$PATH"\n');
    chmodSync(join(print, 'node'), 0o755);
    symlinkSync(join(project, 'none'), join(dir, 'dangling'));
    const { stdout } = await call('sbx', [], `${dir}/dangling:${dir}/link:${print}:/usr/bin`);
    expect(stdout).toBe(`${print}:/usr/bin\n`);
  });

  test('is not missed silently: without any other Node, the error says so', async () => {
    const { code, stderr } = await call('sbx', ['ls'], `${join(project, 'bin')}:/nonexistent`);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/Node\.js was not found\nwhy: [^\n]*\nwhat to do: /)]);
    expect(stderr).toContain(`(here ${join(project, 'bin')})`);
    expect(existsSync(marker)).toBe(false);
  });

  test('finds the environment of its caller unchanged', async () => {
    const env = {
      ...process.env,
      dir: 'own',
      real: 'own',
      file: 'own',
      folder: 'own',
      above: 'own',
      SBX_HOME: join(dir, 'home'),
    };
    const print = join(dir, 'print');
    mkdirSync(print);
    writeFileSync(join(print, 'node'), '#!/bin/sh\necho "$dir $real $file $folder $above" "$#"\n');
    chmodSync(join(print, 'node'), 0o755);
    const said = await new Promise((resolve) =>
      execFile(SBX, ['a b', '*'], { env: { ...env, PATH: `${print}:${SYSTEM}` }, cwd: dir }, (_, stdout) =>
        resolve(stdout),
      ),
    );
    expect(said).toBe('own own own own own 4\n');
  });
});

test.skipIf(spawnSync('shellcheck', ['--version']).status !== 0)(
  'shellcheck finds nothing in the part for the shell',
  () => {
    const text = readFileSync(SBX, 'utf8');
    const input = text.slice(0, text.indexOf('\n*/\n') + 1);
    expect(input).toContain('\nexec node ');
    expect(execFileSync('shellcheck', ['-'], { input, encoding: 'utf8' })).toBe('');
  },
);
