/** Checks that the published package runs and holds nothing else. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
let dir: string;
let unpacked: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-pack-'));
  execFileSync('npm', ['pack', '--pack-destination', dir], { cwd: root, stdio: 'ignore' });
  execFileSync('tar', ['-xf', `${manifest.name}-${manifest.version}.tgz`], { cwd: dir });
  unpacked = join(dir, 'package');
  symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const sbx = (cwd: string, ...args: string[]) =>
  execFileSync(join(unpacked, manifest.bin.sbx), args, {
    cwd,
    env: { ...process.env, SBX_HOME: join(dir, 'home') },
    encoding: 'utf8',
  });

test('the package holds the program, the bundles, the templates, the schema, the example, the reference', () => {
  expect(readdirSync(unpacked).toSorted()).toEqual(
    [
      'LICENSE',
      'README.md',
      'bin',
      'dist',
      'docs',
      'package.json',
      'sandbox.toml.example',
      'schema',
      'templates',
    ].toSorted(),
  );
  expect(readdirSync(join(unpacked, 'bin'))).toEqual(['sbx']);
  expect(readdirSync(join(unpacked, 'templates'))).toEqual(readdirSync(join(root, 'templates')));
  expect(readdirSync(join(unpacked, 'dist'))).toEqual(
    expect.arrayContaining(['cli', 'daemon.js', 'guest', 'build.json']),
  );
});

test('the package runs: its version, a first file, a plan by its own daemon', () => {
  const project = join(dir, 'project');
  mkdirSync(project);
  expect(sbx(project, '--version')).toBe(`${manifest.version}\n`);
  expect(JSON.parse(sbx(project, 'init', '--agent', 'claude', '--json'))).toMatchObject({ agent: 'claude' });
  expect(sbx(project, 'validate')).toContain('is valid: project');
  try {
    expect(JSON.parse(sbx(project, 'plan', '--json')).steps.length).toBeGreaterThan(0);
  } finally {
    sbx(project, 'daemon', 'stop');
  }
});

test('a program without its bundles answers its version, and is reported as not built', () => {
  const bare = join(dir, 'bare');
  mkdirSync(join(bare, 'bin'), { recursive: true });
  for (const name of ['package.json', 'bin/sbx']) cpSync(join(unpacked, name), join(bare, name));
  expect(execFileSync(join(bare, 'bin', 'sbx'), ['--version'], { encoding: 'utf8' })).toBe(`${manifest.version}\n`);
  const { status, stderr } = spawnSync(join(bare, 'bin', 'sbx'), ['ls'], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: expect.stringMatching(
      /^sbx is not built yet\nwhy: .*main\.js is missing\nwhat to do: run `npm run build` in /,
    ),
  });
});
