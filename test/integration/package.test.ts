/** What is published is enough to run, and nothing else is in it. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
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
  execFileSync(process.execPath, [join(unpacked, manifest.bin.sbx), ...args], {
    cwd,
    env: { ...process.env, SBX_HOME: join(dir, 'home') },
    encoding: 'utf8',
  });

test('it holds the program, the bundles, the templates, the schema, the example, the reference', () => {
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
  expect(readdirSync(join(unpacked, 'bin'))).toEqual(['package.json', 'sbx']);
  expect(readdirSync(join(unpacked, 'templates'))).toEqual(readdirSync(join(root, 'templates')));
  expect(readdirSync(join(unpacked, 'dist'))).toEqual(
    expect.arrayContaining(['cli.cjs', 'daemon.js', 'guest', 'build.json']),
  );
});

test('it runs: its version, a first file, a plan by its own daemon', () => {
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
