/** Loading a project never runs its code: each trap works on a careless loader, and not on ours. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';

const MARKER = 'marker';
/** Leaves its mark where the program runs */
const TRAP = `require('node:fs').writeFileSync(${JSON.stringify(MARKER)}, ''); module.exports = {};`;
const MODULE_TRAP = `import { writeFileSync } from 'node:fs'; writeFileSync(${JSON.stringify(MARKER)}, ''); export default {};`;

const TRAPS: Record<string, Record<string, string>> = {
  'settings of cosmiconfig as a script': { '.config/config.js': TRAP, 'sandbox.toml': 'name = "a"' },
  'settings of cosmiconfig as a CommonJS script': { '.config/config.cjs': TRAP, 'sandbox.toml': 'name = "a"' },
  'an import in the file': { 'sandbox.toml': '"$import" = "./x.cjs"', 'x.cjs': TRAP },
  'search places in package.json': {
    'package.json': '{"cosmiconfig": {"cosmiconfig": {"searchPlaces": ["x.cjs"]}}}',
    'x.cjs': TRAP,
  },
  'an own search place': { '.config/config.json': '{"cosmiconfig": {"searchPlaces": ["x.cjs"]}}', 'x.cjs': TRAP },
  'a script of the tool': { 'sbx.config.js': TRAP, '.sbxrc.js': TRAP, '.config/sbxrc.cjs': TRAP },
};

/** They bite no loader of today: here so that none of tomorrow reads them. */
const NEIGHBOURS: Record<string, Record<string, string>> = {
  'an import in settings of cosmiconfig': { '.config/config.json': '{"$import": "../x.cjs"}', 'x.cjs': TRAP },
  'an import in package.json': { 'package.json': '{"cosmiconfig": {"$import": "./x.cjs"}}', 'x.cjs': TRAP },
  'a script of the file’s name': { 'sandbox.js': TRAP, 'sandbox.cjs': TRAP, 'sandbox.mjs': MODULE_TRAP },
  'other kinds of the file': { 'sandbox.ts': TRAP, 'sandbox.yaml': '!!js/function "x"', 'sandbox.json': '{}' },
  'a template that is a script': { 'sandbox.toml': 'extends = ["./x.cjs"]', 'x.cjs': TRAP },
  'a template by a module’s name': {
    'sandbox.toml': 'extends = ["evil"]',
    'node_modules/evil/index.js': TRAP,
    'node_modules/evil/package.json': '{"name": "evil", "main": "index.js"}',
  },
  'an agent by a path': { 'sandbox.toml': 'agent = "./x"', 'x.cjs': TRAP, 'x/index.js': TRAP },
  'npm settings of the project': {
    'sandbox.toml': 'name = "a"',
    '.npmrc': 'node-options=--require=./x.cjs',
    'x.cjs': TRAP,
  },
};

let bundles = '';

beforeAll(async () => {
  bundles = mkdtempSync(join(tmpdir(), 'sbx-bundles-'));
  await build({
    stdin: { contents: OURS, resolveDir: process.cwd(), loader: 'ts' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'error',
    outfile: join(bundles, 'ours.js'),
  });
  await writeFile(join(bundles, 'package.json'), '{"type": "module"}');
  await writeFile(join(bundles, 'careless.cjs'), CARELESS);
});

afterAll(() => rmSync(bundles, { recursive: true, force: true }));

const OURS = `
  import { loadProject } from './lib/config/load/load-project.ts';
  const registries = async () => ({ hosts: { npm: [], apt: [], pip: [], cargo: [], go: [], maven: [], rubygems: [] }, npm: undefined, pip: undefined });
  const host = { cpus: 2, home: '/home/user', os: { id: 'debian', codename: 'bookworm' }, registries };
  const before = process.cwd();
  const outcome = await loadProject({ cwd: process.cwd(), host }).then(({ name }) => ({ name }), ({ name, code, message, place }) => ({ error: name, code, message, place }));
  console.log(JSON.stringify({ ...outcome, moved: process.cwd() !== before }));
`;

/** cosmiconfig as its documentation shows it. */
const resolve = createRequire(import.meta.url).resolve;
const CARELESS = `
  const { cosmiconfig } = require(${JSON.stringify(resolve('cosmiconfig'))});
  const toml = require(${JSON.stringify(resolve('@iarna/toml'))});
  const explorer = cosmiconfig('sbx', { loaders: { '.toml': (_, text) => toml.parse(text) }, searchPlaces: ['sandbox.toml', 'sbx.config.js'] });
  explorer.search(process.cwd()).catch(() => {});
`;

async function projectOf(files: Record<string, string>): Promise<string> {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-trap-')));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), content);
  }
  return dir;
}

/** Runs a loader in the project's folder, as a command would. */
function run(loader: 'ours.js' | 'careless.cjs', dir: string): { ran: boolean; result: Record<string, unknown> } {
  const { stdout } = spawnSync(process.execPath, [join(bundles, loader)], { cwd: dir, encoding: 'utf8' });
  return { ran: existsSync(join(dir, MARKER)), result: stdout.trim() === '' ? {} : JSON.parse(stdout) };
}

describe.each(Object.entries(TRAPS))('%s', (_, files) => {
  test('runs in a careless loader', async () => {
    expect(run('careless.cjs', await projectOf(files)).ran).toBe(true);
  });

  test('does not run in ours', async () => {
    const { ran, result } = run('ours.js', await projectOf(files));
    expect(ran).toBe(false);
    expect(result['name'] !== undefined || result['error'] === 'SbxError').toBe(true);
    expect(result['moved']).toBe(false);
  });
});

test.each(Object.entries(NEIGHBOURS))('%s does not run', async (_, files) => {
  const { ran, result } = run('ours.js', await projectOf(files));
  expect(ran).toBe(false);
  expect(result['name'] !== undefined || result['error'] === 'SbxError').toBe(true);
});

test('an import is reported as an unknown key with its place', async () => {
  const dir = await projectOf({ 'sandbox.toml': 'name = "a"\n"$import" = "./x.cjs"', 'x.cjs': TRAP });
  expect(run('ours.js', dir).result).toMatchObject({
    code: 'config-invalid',
    message: expect.stringContaining('$import'),
    place: { file: join(dir, 'sandbox.toml'), line: 2, column: 1 },
  });
});

test.each([
  ['a script', 'x.cjs'],
  ['a file outside', '/etc/passwd'],
  ['a device that never ends', '/dev/zero'],
])('sandbox.toml as a link to %s is refused unread', async (_, target) => {
  const dir = await projectOf({ 'x.cjs': TRAP });
  symlinkSync(target, join(dir, 'sandbox.toml'));
  const { ran, result } = run('ours.js', dir);
  expect(ran).toBe(false);
  expect(result).toMatchObject({ code: 'config-invalid', message: expect.stringContaining('symbolic link') });
});

test('sandbox.toml as a named pipe is rejected without blocking', async () => {
  const dir = await projectOf({});
  spawnSync('mkfifo', [join(dir, 'sandbox.toml')]);
  expect(run('ours.js', dir).result).toMatchObject({
    code: 'config-invalid',
    message: expect.stringContaining('not a file'),
  });
});

test('a template that is a named pipe is rejected without blocking', async () => {
  const dir = await projectOf({ 'sandbox.toml': 'extends = ["./pipe.toml"]' });
  spawnSync('mkfifo', [join(dir, 'pipe.toml')]);
  expect(run('ours.js', dir).result).toMatchObject({
    code: 'config-invalid',
    message: expect.stringContaining('not a file'),
    place: { line: 1, column: 12 },
  });
});

test('an unreadable file is an error, and is not skipped', async () => {
  const dir = await projectOf({ 'sandbox.toml': '', 'sub/sandbox.toml': '' });
  for (const folder of [dir, bundles]) chmodSync(folder, 0o755);
  chmodSync(join(dir, 'sub/sandbox.toml'), 0);
  // Root reads everything.
  const someone = process.getuid?.() === 0 ? { uid: 65_534 } : {};
  const options = { cwd: join(dir, 'sub'), encoding: 'utf8', ...someone } as const;
  const { stdout } = spawnSync(process.execPath, [join(bundles, 'ours.js')], options);
  expect(JSON.parse(stdout)).toMatchObject({
    code: 'config-not-found',
    message: `${join(dir, 'sub/sandbox.toml')} cannot be read`,
  });
});
