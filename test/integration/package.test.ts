/** What is published is enough to run, and nothing else is in it. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
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
    expect.arrayContaining(['cli', 'daemon.js', 'guest', 'build.json']),
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

test('its commands begin with code that the build kept, and V8 takes all of it', () => {
  const parts = scriptsOf('exec', '--help');
  expect(parts.map(({ file }) => file)).toEqual(['first.cjs']);
  expect(parts.filter(({ kept, rejected }) => !kept || rejected)).toEqual([]);
});

test('kept code that is damaged, or missing, is compiled anew', () => {
  const folder = join(unpacked, 'dist', 'cli');
  const kept = readdirSync(folder).filter((name) => name.endsWith('.cache'));
  for (const [index, name] of kept.entries()) {
    if (index % 2 === 0) rmSync(join(folder, name));
    else writeFileSync(join(folder, name), readFileSync(join(folder, name)).fill(7, 10, 60));
  }
  expect(scriptsOf('exec', '--help').filter(({ kept: has, rejected }) => has && !rejected)).toEqual([]);
  expect(sbx(dir, '--help')).toContain('sbx apply');
});

/** Every part that a command loads, and whether V8 took what was kept of it. */
function scriptsOf(...words: string[]): { file: string; kept: boolean; rejected: boolean }[] {
  const hook = join(dir, 'hook.cjs');
  const seen = join(dir, 'seen');
  rmSync(seen, { force: true });
  writeFileSync(
    hook,
    `const vm = require('node:vm'); const { appendFileSync } = require('node:fs'); const { basename } = require('node:path'); const { Script } = vm;
vm.Script = function (source, options) {
  const script = new Script(source, options);
  const line = { file: basename(options.filename), kept: options.cachedData !== undefined, rejected: script.cachedDataRejected === true };
  appendFileSync(${JSON.stringify(seen)}, JSON.stringify(line) + '\\n');
  return script;
};`,
  );
  execFileSync(process.execPath, ['--require', hook, join(unpacked, manifest.bin.sbx), ...words], {
    env: { ...process.env, SBX_HOME: join(dir, 'home') },
  });
  return readFileSync(seen, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}
