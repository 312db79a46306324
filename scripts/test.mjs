/** `npm test`: installs what is missing; lint, types, rooms, unused code, unit, integration, end-to-end on real virtual machines. */
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
import { must, root, run, say, setUp } from '../bin/setup.mjs';
import { ensureServers, ensureShells, ensureTestUser, TEST_USER } from './test-setup.mjs';

setUp();
ensureTestUser();
ensureShells();
ensureServers();
/** Supervised boots: a hundred in all */
const BOOTS = process.getuid() === 0 ? { root: 90, user: 10 } : { root: 100, user: 0 };
const results = { passed: 0, failed: 0 };
const took = [];
/** What failed, said once more at the end: the output before it is long. */
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

/** One vitest project; its counts are added up whatever it ends with. */
function suite(project, options = {}) {
  const { command, report, settings } = vitest(project, options);
  const from = performance.now();
  const status = run(command[0], command.slice(1), settings);
  count(project, { report, status, from });
}

/** The same beside what runs meanwhile. What it prints comes when it is waited for. */
function besides(project) {
  const { command, report, settings } = vitest(project, {});
  const log = join(reports, `${project}.log`);
  const fd = openSync(log, 'w');
  const from = performance.now();
  // Nothing goes on behind a run that was given up, in whatever way.
  const child = spawn('setpriv', ['--pdeathsig', 'TERM', '--', ...command], { ...settings, stdio: ['ignore', fd, fd] });
  closeSync(fd);
  process.once('exit', () => child.kill());
  const ended = new Promise((resolve) => {
    child.once('error', () => resolve(1));
    child.once('exit', (code) => resolve(code ?? 1));
  });
  return async () => {
    const status = await ended;
    process.stdout.write(readFileSync(log));
    count(project, { report, status, from });
  };
}

/** Where the time went, files of some length only. */
function note(part, ms) {
  if (ms >= 10_000) took.push({ part, seconds: Math.round(ms / 1000) });
}

function vitest(project, { as, env = {}, cwd = root }) {
  const report = join(reports, `${project}-${as ?? 'self'}.json`);
  const args = [
    join(cwd, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ];
  const command =
    as === undefined
      ? [process.execPath, ...args]
      : ['setpriv', `--reuid=${as}`, `--regid=${as}`, '--init-groups', '--', process.execPath, ...args];
  return { command, report, settings: { cwd, env: { ...process.env, ...env } } };
}

function count(project, { report, status, from }) {
  const found = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : undefined;
  note(project, performance.now() - from);
  for (const { name, startTime, endTime } of found?.testResults ?? []) note(`  ${basename(name)}`, endTime - startTime);
  results.passed += found?.numPassedTests ?? 0;
  results.failed += found?.numFailedTests ?? 0;
  const skipped = (found?.numPendingTests ?? 0) + (found?.numTodoTests ?? 0);
  if (skipped > 0 && process.env.CI) {
    process.stderr.write(`${skipped} tests of ${project} were skipped; in CI none may be\n`);
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
    failures.push(`${project}: ended with ${status} though no test failed; see what it printed above`);
  }
}

say('unit');
suite('unit');
// Machines one at a time leave a core to others.
const integration = besides('integration');
say('end to end, beside the integration tests');
suite('e2e', { env: { SBX_TEST_BOOTS: String(BOOTS.root) } });
say('integration, what it printed');
await integration();
// Once: six agents are installed for it, which takes a while, most of it on one core.
say('agents');
const agents = besides('agents');
if (process.getuid() === 0) {
  say('end to end, as an ordinary user, beside the agents');
  asUser();
  say('agents, what they printed');
}
await agents();
say('seconds');
for (const { part, seconds } of took) process.stdout.write(`${String(seconds).padStart(6)}  ${part}\n`);
if (failures.length > 0) say('failed');
for (const failure of failures) process.stdout.write(`${failure}\n\n`);
rmSync(reports, { recursive: true, force: true });
process.stdout.write(`\n${results.passed} passed, ${results.failed} failed\n`);
process.exit(results.failed === 0 ? 0 : 1);

/** As the user made for this; the sources are only read. */
function asUser() {
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
  suite('e2e', {
    as: name,
    cwd: work,
    env: {
      HOME: join('/home', name),
      SBX_TEST_HOME: undefined,
      USER: name,
      LOGNAME: name,
      SBX_TEST_ROOT: work,
      TMPDIR: '/tmp',
      PATH: userPath(),
      SBX_TEST_BOOTS: String(BOOTS.user),
    },
  });
  rmSync(work, { recursive: true, force: true });
}

/** As an ordinary user has it: without the folders of the system's own tools. */
function userPath() {
  const dirs = process.env.PATH.split(delimiter);
  return dirs.filter((dir) => !dir.endsWith('/sbin')).join(delimiter);
}

/** What root's tests have baked need not be baked again: layers are checked by their hashes. What has a new name each time, this user bakes itself. */
function giveLayers(name) {
  const home = process.env.SBX_TEST_HOME ?? join(homedir(), '.cache', 'sbx-test');
  const own = join('/home', name, '.cache', 'sbx-test');
  const [from, to] = [join(home, 'store'), join(own, 'store')];
  // Layers fit to those that they were built on, and to no others of the same keys.
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to, { recursive: true, mode: 0o700 });
  for (const layer of readdirSync(from).filter((entry) => /-[0-9a-f]{20}$/.test(entry)))
    must('cp', ['-a', '--sparse=always', join(from, layer), to]);
  // Some layers trust the authority of the tests' own hosts: its key is a part of theirs.
  rmSync(join(own, 'marked-hosts'), { recursive: true, force: true });
  must('cp', ['-a', join(home, 'marked-hosts'), own]);
  must('chown', ['-R', `${name}:${name}`, join('/home', name, '.cache')]);
}
