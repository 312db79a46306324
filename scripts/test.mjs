/** `npm test`: installs missing tools and packages, then runs lint, type check, structure checks, and the unit, integration and end-to-end tests (on real VMs). */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { must, root, say, setUp } from '../bin/setup.mjs';
import { ensureServers, ensureTestUser, ensureTools, TEST_USER } from './test-setup.mjs';

setUp();
ensureTestUser();
ensureTools();
ensureServers();
/** Supervised boots of an end-to-end run; `npm run soak` boots 100 in a row */
const BOOTS = '5';
/**
 * End-to-end tests of what does not depend on the user's rights. Where the others run twice, as root and as an ordinary user, these run once: as root,
 * beside the integration tests…
 */
const FIRST_AS_ROOT = ['host-trouble', 'killed', 'pool', 'pressure'];
/** …as root, beside those of the ordinary user… */
const ONCE_AS_ROOT = [
  'coherence',
  'mcp',
  'net-commands',
  'packages',
  'private-work',
  'programs',
  'recovery',
  'rounds',
  'ssh',
  'tar-base',
];
/** …or as that user. SBX_TEST_TWICE=1 runs everything as both. */
const ONCE_AS_USER = [
  'boot',
  'clone',
  'commands',
  'credentials',
  'docker',
  'file-system',
  'git-guest',
  'git-sign',
  'git-worktree',
  'idle',
  'install',
  'intercept',
  'keep-save',
  'network',
  'own-agent',
  'ports',
  'run',
  'suspend',
];
const twice = process.env.SBX_TEST_TWICE === '1';
const results = { passed: 0, failed: 0 };
const took = [];
/** Failures, repeated at the end because the output before is long */
const failures = [];
const reports = mkdtempSync(join(tmpdir(), 'sbx-test-'));
const node = (args, options) => must(process.execPath, args, options);
const tool = (name, args) => node([join('node_modules', '.bin', name), ...args]);

say('lint');
tool('biome', ['ci', '.']);
say('types');
tool('tsc', ['-p', '.']);
say('house');
node(['scripts/house.mjs']);
say('generated files');
node(['scripts/generate.mjs', '--check']);

/** Runs a vitest project, or some of its files, and adds its counts to the totals, also if it fails. `quiet`: its output comes when it has ended. */
async function suite(project, options = {}) {
  const { args, report, settings } = vitest(project, options);
  const log = `${report}.log`;
  const fd = options.quiet ? openSync(log, 'w') : undefined;
  const from = performance.now();
  // The kernel ends the child with this process, however this process dies; a change of the user resets that.
  const ended = ['setpriv', '--pdeathsig', 'TERM', '--', process.execPath, ...args];
  const [command, ...rest] = [...identity(options.as), ...ended];
  const child = spawn(command, rest, {
    ...settings,
    stdio: fd === undefined ? 'inherit' : ['ignore', fd, fd],
  });
  if (fd !== undefined) closeSync(fd);
  const end = () => child.kill();
  process.once('exit', end);
  const status = await new Promise((resolve) => {
    child.once('error', () => resolve(1));
    child.once('exit', (code) => resolve(code ?? 1));
  });
  process.off('exit', end);
  if (fd !== undefined) {
    say(`output of ${project}`);
    process.stdout.write(readFileSync(log));
  }
  count(project, { report, status, from });
}

/** Records the duration of a part that took at least 10 s. */
function note(part, ms) {
  if (ms >= 10_000) took.push({ part, seconds: Math.round(ms / 1000) });
}

function identity(user) {
  return user === undefined ? [] : ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups', '--'];
}

function vitest(project, { as, env = {}, cwd = root, files = [], exclude = [] }) {
  const report = join(reports, `${project}-${as ?? 'self'}-${files.length}.json`);
  const args = [
    join(cwd, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...files.map((name) => `/${name}.test.ts`),
    ...exclude.map((name) => `--exclude=test/e2e/**/${name}.test.ts`),
  ];
  return { args, report, settings: { cwd, env: { ...process.env, ...env } } };
}

function count(project, { report, status, from }) {
  const found = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : undefined;
  note(project, performance.now() - from);
  for (const { name, startTime, endTime } of found?.testResults ?? []) note(`  ${basename(name)}`, endTime - startTime);
  results.passed += found?.numPassedTests ?? 0;
  results.failed += found?.numFailedTests ?? 0;
  const skipped = (found?.numPendingTests ?? 0) + (found?.numTodoTests ?? 0);
  if (skipped > 0 && process.env.CI) {
    process.stderr.write(`${skipped} tests of ${project} were skipped; CI allows no skipped test\n`);
    results.failed += skipped;
    failures.push(`${project}: ${skipped} skipped`);
  }
  for (const { name, message, assertionResults } of found?.testResults ?? []) {
    const failed = assertionResults.filter((test) => test.status === 'failed');
    for (const { fullName, failureMessages } of failed)
      failures.push(`${project}, ${basename(name)}: ${fullName}\n${failureMessages.join('\n')}`);
    if (failed.length === 0 && message !== '') failures.push(`${project}, ${basename(name)}\n${message}`);
  }
  if (status !== 0 && (found?.numFailedTests ?? 0) === 0) {
    results.failed += 1;
    failures.push(`${project}: exited with ${status} although no test failed; see its output above`);
  }
}

say('unit');
await suite('unit');
const isRoot = process.getuid() === 0;
const env = { SBX_TEST_BOOTS: BOOTS };
// A suite runs one VM at a time, which leaves a core free for another suite.
say('end to end, beside the integration tests');
await Promise.all([
  suite('integration', { quiet: true }),
  suite('e2e', { env, exclude: isRoot && !twice ? [...ONCE_AS_ROOT, ...ONCE_AS_USER] : [] }),
]);
if (isRoot) {
  say('end to end as an ordinary user, beside the agents and what runs as root only');
  const asRoot = async () => {
    await suite('agents', { quiet: true });
    if (!twice) await suite('e2e', { env, quiet: true, files: ONCE_AS_ROOT });
  };
  await Promise.all([asUser(), asRoot()]);
} else {
  say('agents');
  await suite('agents');
}
say('seconds');
for (const { part, seconds } of took) process.stdout.write(`${String(seconds).padStart(6)}  ${part}\n`);
if (failures.length > 0) say('failed');
for (const failure of failures) process.stdout.write(`${failure}\n\n`);
rmSync(reports, { recursive: true, force: true });
process.stdout.write(`\n${results.passed} passed, ${results.failed} failed\n`);
process.exit(results.failed === 0 ? 0 : 1);

/** Runs the end-to-end tests as the test user, on a copy of the sources. */
async function asUser() {
  const name = TEST_USER;
  chmodSync(reports, 0o777);
  const work = join('/home', name, 'work');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  must('cp', [
    '-a',
    ...[
      'bin',
      'lib',
      'dist',
      'templates',
      'schema',
      'examples',
      'test',
      'package.json',
      'tsconfig.json',
      'vitest.config.ts',
      'sandbox.toml.example',
    ].map((entry) => join(root, entry)),
    work,
  ]);
  must('cp', ['-a', join(root, 'node_modules'), work]);
  must('chown', ['-R', `${name}:${name}`, work]);
  giveLayers(name);
  await suite('e2e', {
    as: name,
    cwd: work,
    exclude: twice ? [] : [...FIRST_AS_ROOT, ...ONCE_AS_ROOT],
    env: {
      HOME: join('/home', name),
      SBX_TEST_HOME: undefined,
      USER: name,
      LOGNAME: name,
      SBX_TEST_ROOT: work,
      TMPDIR: '/tmp',
      PATH: userPath(),
      // `npm test` names those of root.
      npm_config_cache: join('/home', name, '.npm'),
      npm_config_userconfig: join('/home', name, '.npmrc'),
      SBX_TEST_BOOTS: BOOTS,
    },
  });
  rmSync(work, { recursive: true, force: true });
}

/** The `PATH` of an ordinary user, without the `sbin` folders */
function userPath() {
  const dirs = process.env.PATH.split(delimiter);
  return dirs.filter((dir) => !dir.endsWith('/sbin')).join(delimiter);
}

/** Copies the layers that root's tests baked, which are verified by hash. Layers with a random name are baked again. */
function giveLayers(name) {
  const home = process.env.SBX_TEST_HOME ?? join(homedir(), '.cache', 'sbx-test');
  const own = join('/home', name, '.cache', 'sbx-test');
  const [from, to] = [join(home, 'store'), join(own, 'store')];
  // A layer fits only the exact layers that it was built on, not others with the same keys.
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to, { recursive: true, mode: 0o700 });
  for (const layer of readdirSync(from).filter((entry) => /-[0-9a-f]{20}$/.test(entry)))
    must('cp', ['-a', '--sparse=always', join(from, layer), to]);
  // Some layers trust the CA of the test hosts: its key is a part of their keys. It exists once a test has needed it.
  const ca = join(home, 'marked-hosts');
  rmSync(join(own, 'marked-hosts'), { recursive: true, force: true });
  if (existsSync(ca)) must('cp', ['-a', ca, own]);
  must('chown', ['-R', `${name}:${name}`, join('/home', name, '.cache')]);
}
