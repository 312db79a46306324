/** Checks that the published package has what a user needs and nothing else, and that it can be installed. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const archive = `${manifest.name}-${manifest.version}.tgz`;
let dir: string;
let unpacked: string;
/** Packed files, relative to the package */
let files: string[];

beforeAll(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-pack-')));
  // Without prepack: it would build again, below the feet of the tests that run beside this one.
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', dir];
  const [packed] = JSON.parse(execFileSync('npm', args, { cwd: root, encoding: 'utf8' }));
  files = packed.files.map(({ path }: { path: string }) => path);
  execFileSync('tar', ['-xf', archive], { cwd: dir });
  unpacked = join(dir, 'package');
  symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const INSTALL = ['install', '--global', '--offline', '--no-audit', '--no-fund'];
const run = (program: string, cwd: string, ...args: string[]) =>
  execFileSync(program, args, { cwd, env: { ...process.env, SBX_HOME: join(dir, 'home') }, encoding: 'utf8' });
const sbx = (cwd: string, ...args: string[]) => run(join(unpacked, manifest.bin.sbx), cwd, ...args);

describe('the files of the package', () => {
  test('are the program, the bundles, the templates, the schema, the docs, the manual, the completions, the examples', () => {
    expect(readdirSync(unpacked).toSorted()).toEqual(
      [
        'CHANGELOG.md',
        'LICENSE',
        'README.md',
        'bin',
        'completions',
        'dist',
        'docs',
        'examples',
        'man',
        'package.json',
        'sandbox.toml.example',
        'schema',
        'templates',
      ].toSorted(),
    );
    expect(readdirSync(join(unpacked, 'bin'))).toEqual(['sbx']);
    expect(statSync(join(unpacked, 'bin', 'sbx')).mode & 0o777).toBe(0o755);
    for (const folder of ['templates', 'man', 'completions', 'examples'])
      expect(readdirSync(join(unpacked, folder))).toEqual(readdirSync(join(root, folder)));
    expect(readdirSync(join(unpacked, 'dist'))).toEqual(
      expect.arrayContaining(['cli', 'daemon.js', 'load-worker.js', 'workspace-server.js', 'guest', 'build.json']),
    );
  });

  test('are no sources, tests, or settings of the repository', () => {
    expect(
      files.filter((name) => /(^|\/)(lib|test|scripts|bench|node_modules|\.[^/]*)(\/|$)|\.[cm]?ts$|\.map$/.test(name)),
    ).toEqual([]);
  });

  test('name no path of this machine and no registry that it uses', () => {
    const registries = [npmRegistry(), ...aptMirrors()].map((url) => new URL(url).hostname);
    const own = [root.replace(/\/$/, ''), ...(homedir() === '/root' ? [] : [homedir()]), dir];
    expect(registries.length).toBeGreaterThan(0);
    expect(files.flatMap((name) => found(name, [...own, ...registries]))).toEqual([]);
    expect(found('README.md', ['microVM'])).toEqual(['README.md: microVM']);
  });

  test('have no link that leads nowhere, but to pages for contributors', () => {
    const contributors = ['CONTRIBUTING.md', 'docs/architecture.md', 'docs/glossary.md'];
    const dead = files
      .filter((name) => name.endsWith('.md'))
      .flatMap((name) => linksOf(name).filter((target) => !existsSync(join(unpacked, target))));
    expect([...new Set(dead)].filter((target) => !contributors.includes(target))).toEqual([]);
  });
});

test('npm pack builds first', () => {
  const copy = join(dir, 'sources');
  mkdirSync(copy);
  for (const entry of ['package.json', 'tsconfig.json', 'LICENSE', 'README.md', 'bin', 'lib', 'scripts'])
    cpSync(join(root, entry), join(copy, entry), { recursive: true });
  const out = run('npm', copy, 'pack', '--json', '--dry-run', '--foreground-scripts=false');
  const [packed] = JSON.parse(out.slice(out.indexOf('[')));
  const names = packed.files.map(({ path }: { path: string }) => path);
  expect(names).toEqual(expect.arrayContaining(['dist/cli/main.js', 'dist/daemon.js', 'dist/guest/agent.cjs']));
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

test('npm install -g puts the command and the manual into a prefix, and uninstall removes them', () => {
  const prefix = join(dir, 'prefix');
  const modules = join(prefix, 'lib/node_modules');
  run('npm', dir, ...INSTALL, '--prefix', prefix, withoutDependencies());
  symlinkSync(join(root, 'node_modules'), join(modules, manifest.name, 'node_modules'));
  const program = join(prefix, 'bin', 'sbx');
  const project = join(dir, 'installed');
  mkdirSync(project);
  expect(run(program, project, '--version')).toBe(`${manifest.version}\n`);
  expect(JSON.parse(run(program, project, 'init', '--json'))).toMatchObject({ agent: 'shell' });
  expect(run(program, project, 'validate')).toContain('is valid: installed');
  const doctor = spawnSync(program, ['doctor', '--json'], { cwd: project, encoding: 'utf8' });
  expect(JSON.parse(doctor.stdout).checks.map(({ name }: { name: string }) => name)).toContain('Node.js');
  for (const page of ['man1/sbx.1', 'man1/sbx-net-log.1', 'man5/sandbox.toml.5'])
    expect(readFileSync(join(prefix, 'share/man', page), 'utf8')).toContain('sbx manual');
  rmSync(join(modules, manifest.name, 'node_modules'));
  run('npm', dir, 'uninstall', '--global', '--prefix', prefix, manifest.name);
  expect([program, join(prefix, 'share/man/man1/sbx.1')].filter((name) => existsSync(name))).toEqual([]);
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

/** An archive for a quick installation; `npm run test:hosts` installs the dependencies, too. */
function withoutDependencies(): string {
  const copy = join(dir, 'bare-package');
  cpSync(unpacked, copy, { recursive: true });
  writeFileSync(join(copy, 'package.json'), JSON.stringify({ ...manifest, dependencies: {}, scripts: {} }));
  const target = join(dir, 'bare-archive');
  mkdirSync(target);
  run('npm', copy, 'pack', '--silent', '--pack-destination', target);
  return join(target, archive);
}

/** `file: word` for each of the words in a packed file */
function found(name: string, words: string[]): string[] {
  const text = readFileSync(join(unpacked, name), 'utf8');
  return words.filter((word) => text.includes(word)).map((word) => `${name}: ${word}`);
}

/** Targets of the relative links of a page, relative to the package */
function linksOf(name: string): string[] {
  const text = readFileSync(join(unpacked, name), 'utf8');
  return [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !target.includes(':'))
    .map((target) => relative(unpacked, join(unpacked, dirname(name), target)));
}

function npmRegistry(): string {
  return execFileSync('npm', ['config', 'get', 'registry'], { cwd: root, encoding: 'utf8' }).trim();
}

function aptMirrors(): string[] {
  const args = ['indextargets', '--no-release-info', '--format', '$(REPO_URI)', 'Created-By: Packages'];
  const urls = execFileSync('apt-get', args, { encoding: 'utf8' }).split('\n');
  return [...new Set(urls)].filter((url) => /^https?:/.test(url));
}
