/** Checks every command: one JSON document with --json, errors in three lines, exit codes, no stack traces. */
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { allCommands } from '../../../lib/cli/app.ts';
import { homeOf } from '../../../lib/paths.ts';
import { readHolder } from '../../../lib/system/file-lock.ts';

const SBX = fileURLToPath(new URL('../../../bin/sbx', import.meta.url));

/** Required arguments */
const ARGS: Record<string, string[]> = {
  exec: ['--', 'true'],
  cp: ['a', ':b'],
  'ssh-proxy': ['x'],
  completion: ['bash'],
  'mcp accept': ['x'],
  'net check': ['example.com'],
  'net allow': ['example.com'],
  'net deny': ['example.com'],
  'net revoke': ['example.com'],
  'snapshot create': ['x'],
  'snapshot restore': ['x'],
  'snapshot rm': ['x'],
  accept: ['x'],
  'workspace check': ['x'],
  'secret set': ['x'],
  'secret rm': ['x'],
  'template show': ['shell'],
};
/** Commands that pass on the exit code of what they run: their own failures have another */
const PASSING = ['exec', 'run', 'shell'];
/** Commands that succeed without a file and without a sandbox */
const WORK_ANYWHERE = [
  'init',
  'ls',
  'stats',
  'doctor',
  'gc',
  'completion',
  'version',
  'secret ls',
  'template ls',
  'template show',
  'daemon status',
  'daemon stop',
  'daemon logs',
];

let dir: string;
let home: string;
beforeAll(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-c-')));
  home = join(dir, 'h');
});
afterAll(async () => {
  await call(['daemon', 'stop']);
  rmSync(dir, { recursive: true, force: true });
});

interface Call {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
}

const call = (words: string[], { cwd = mkdtempSync(join(dir, 'empty-')), env = {} }: Call = {}) =>
  program(SBX, words, { cwd, env });

function program(file: string, args: string[], options: Call) {
  const env = { ...process.env, SBX_HOME: home, ...options.env };
  return new Promise<{ status: number; stdout: string; stderr: string }>((resolve) => {
    execFile(file, args, { ...options, env }, (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : typeof error.code === 'number' ? error.code : 1, stdout, stderr }),
    ).stdin?.end();
  });
}

const argsOf = (words: string[]) => ARGS[words.join(' ')] ?? [];
/** Flags precede `--`. */
const withFlag = (words: string[], flag: string) => [...words, flag, ...argsOf(words)];

function isOneError(stderr: string): void {
  const lines = stderr.trimEnd().split('\n');
  expect(lines[0]).toMatch(/^(sbx: .+|.+\.toml:\d+:\d+: .+)/);
  expect(lines.at(-1)).toMatch(/^what to do: /);
  expect(lines.length).toBeLessThanOrEqual(3);
  expect(stderr).not.toMatch(/^\s+at |undefined|\[object/m);
}

describe.concurrent.each(allCommands().map((words) => ({ name: words.join(' '), words })))(
  'sbx $name',
  ({ name, words }) => {
    test('with --json: one document and nothing else; an error has a code, a message and a hint', async () => {
      const { status, stdout, stderr } = await call(withFlag(words, '--json'));
      expect(stderr).toBe('');
      if (name === 'daemon logs') {
        for (const line of stdout.trim().split('\n')) expect(JSON.parse(line)).toEqual({ line: expect.any(String) });
        return;
      }
      expect(stdout.trimEnd().split('\n')).toHaveLength(1);
      const value = JSON.parse(stdout);
      if (WORK_ANYWHERE.includes(name)) return expect(value).not.toHaveProperty('error');
      expect(value).toEqual({
        error: expect.objectContaining({
          code: expect.stringMatching(/^[a-z-]+$/),
          message: expect.stringMatching(/\w/),
          hint: expect.stringMatching(/\w/),
        }),
      });
      expect(status).toBe(PASSING.includes(name) ? 125 : ['not-found', 'secret'].includes(value.error.code) ? 1 : 2);
    });

    test('without: an error is what happened, why, what to do, on stderr', async () => {
      const { status, stdout, stderr } = await call([...words, ...argsOf(words)]);
      if (WORK_ANYWHERE.includes(name)) return expect([0, 1]).toContain(status);
      expect(stdout).toBe('');
      isOneError(stderr);
      expect(stderr).toMatch(/^why: /m);
    });

    test('an unknown flag is a usage error, also as JSON', async () => {
      const plain = await call(withFlag(words, '--wrong'));
      const invalid = PASSING.includes(name) ? 125 : 2;
      expect(plain).toMatchObject({ status: invalid, stdout: '' });
      isOneError(plain.stderr);
      expect(plain.stderr).toContain(`sbx ${name} --help`);
      const asJson = await call([...words, '--json', '--wrong', ...argsOf(words)]);
      expect(asJson).toMatchObject({ status: invalid, stderr: '' });
      expect(JSON.parse(asJson.stdout)).toMatchObject({
        error: { code: 'usage', message: 'unknown flag: --wrong' },
      });
    });

    test('--help shows its usage', async () => {
      const { status, stdout, stderr } = await call([...words, '--help']);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toContain(`sbx ${name} [OPTIONS]`);
      expect(await call(['help', ...words])).toEqual({ status, stdout, stderr });
    });
  },
);

test.each([
  ['an unknown command', ['frobnicate'], 'unknown command: frobnicate', '`sbx --help` lists the commands'],
  ['a misspelt command', ['aply'], 'unknown command: aply', 'did you mean apply?'],
  ['a misspelt command of a group', ['net', 'chek'], 'unknown command: chek', 'did you mean check?'],
  [
    'a misspelt flag',
    ['apply', '--acept-widening'],
    'unknown flag: --acept-widening',
    'did you mean --accept-widening?',
  ],
  ['a word of other tools', ['up'], 'unknown command: up', 'did you mean sbx apply?'],
  ['one that is misspelt', ['creat'], 'unknown command: creat', 'did you mean sbx apply, after sbx init?'],
  ['a word that is like no command', ['fork'], 'unknown command: fork', '`sbx --help` lists the commands'],
  ['another', ['list'], 'unknown command: list', 'did you mean sbx ls?'],
  ['their short flag of the version', ['-V'], 'unknown command: -V', 'did you mean sbx --version?'],
  ['a misspelt common flag', ['ls', '--jsn'], 'unknown flag: --jsn', 'did you mean --json?'],
  [
    'an option before the command',
    ['--project', '.', 'ls'],
    'unknown option before the command: --project',
    /sbx ls --/,
  ],
  ['help on an unknown command', ['help', 'aply'], 'unknown command: aply', 'did you mean apply?'],
  ['a flag without its value', ['ls', '--project'], '--project needs a value', /sbx ls --help/],
  ['a flag twice', ['ls', '--project', '.', '--project', '.'], '--project is set twice', /--help/],
  ['an invalid count', ['logs', '--daemon', '-n', 'x'], 'invalid --lines: x', /--help/],
  ['too few arguments', ['cp', 'a'], '<to> is missing', /sbx cp --help/],
  ['too many arguments', ['ls', 'a'], 'unexpected argument: a', /sbx ls --help/],
  ['exec without a command', ['exec'], 'no command given', /sbx exec/],
  ['a copy from host to host', ['cp', 'a', 'b'], 'one path must be in a sandbox, the other on the host', /NAME:PATH/],
])('%s', async (_, words, message, hint) => {
  const { status, stdout, stderr } = await call(words);
  expect({ status, stdout }).toEqual({ status: words[0] === 'exec' ? 125 : 2, stdout: '' });
  isOneError(stderr);
  const lines = stderr.trimEnd().split('\n');
  expect(lines[0]).toBe(`sbx: ${message}`);
  expect(lines.at(-1)?.replace('what to do: ', '')).toMatch(hint);
});

test('an invalid file is an error with its place and exit code 2', async () => {
  const cwd = mkdtempSync(join(dir, 'wrong-'));
  writeFileSync(join(cwd, 'sandbox.toml'), 'version = 1\nnmae = "x"\n');
  const { status, stderr } = await call(['apply'], { cwd });
  expect(status).toBe(2);
  expect(stderr).toMatch(/^sandbox\.toml:2:1: unknown key "nmae"\n(why: .*\n)?what to do: did you mean "name"/);
  expect(JSON.parse((await call(['plan', '--json'], { cwd })).stdout).error).toMatchObject({ line: 2, column: 1 });
});

test('--exit-code: a plan with changes exits with 3, and plans every sandbox', async () => {
  const cwd = mkdtempSync(join(dir, 'plan-'));
  writeFileSync(join(cwd, 'sandbox.toml'), 'version = 1\nname = "p"\n');
  expect((await call(['plan'], { cwd })).status).toBe(0);
  const { status, stdout } = await call(['plan', '--exit-code', '--json'], { cwd });
  expect(status).toBe(3);
  expect(JSON.parse(stdout).steps.map(({ action }: { action: string }) => action)).toContain('create');
});

test('a widening change is refused with 4 if no user can be asked, and nothing is started', async () => {
  const cwd = mkdtempSync(join(dir, 'widen-'));
  writeFileSync(join(cwd, 'sandbox.toml'), 'version = 1\nname = "w"\n[[mounts]]\nhost = "/usr"\nguest = "/data"\n');
  for (const flags of [[], ['--yes']]) {
    const { status, stdout } = await call(['apply', '--json', ...flags], { cwd });
    expect(status).toBe(4);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'refused-widening', hint: /--accept-widening/ } });
  }
  expect(JSON.parse((await call(['ls', '--json'], { cwd })).stdout)).toEqual([]);
});

test.each([
  ['below a dangling link', () => symlinkSync(join(dir, 'none'), join(dir, 'dangling')), 'dangling/x'],
  ['below a file', () => writeFileSync(join(dir, 'file'), ''), 'file/x'],
  ['in /proc', () => undefined, '/proc/x'],
])('a state folder %s: an error, not a program that never ends', async (_, prepare, path) => {
  prepare();
  for (const words of [['ls'], ['doctor']]) {
    const { status, stderr } = await call(words, { env: { SBX_HOME: resolve(dir, path) } });
    expect([1, 2]).toContain(status);
    if (words[0] === 'ls') isOneError(stderr);
  }
});

test('the daemon finds system tools in folders that are not on the PATH of the user', async () => {
  await call(['daemon', 'stop']);
  expect((await call(['ls'], { env: { PATH: '/usr/local/bin:/usr/bin:/bin' } })).status).toBe(0);
  const pid = readHolder(homeOf({ SBX_HOME: home }).daemon.lock)?.pid;
  const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  expect(environment.find((entry) => entry.startsWith('PATH='))).toMatch(/:\/usr\/sbin(:|$)/);
});

test('the client starts without the extra certificates of the host; the daemon gets them', async () => {
  await call(['daemon', 'stop']);
  const bundle = join(dir, 'none.pem');
  // Node warns about a missing file when it reads it.
  const direct = await program(process.execPath, [SBX, 'ls'], { env: { NODE_EXTRA_CA_CERTS: bundle } });
  expect(direct.stderr).toContain(bundle);
  await call(['daemon', 'stop']);
  expect(await call(['ls'], { env: { NODE_EXTRA_CA_CERTS: bundle } })).toMatchObject({ status: 0, stderr: '' });
  const pid = readHolder(homeOf({ SBX_HOME: home }).daemon.lock)?.pid;
  const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  expect(environment.filter((entry) => entry.includes('CA_CERTS=') && entry.endsWith(bundle))).toEqual([
    `NODE_EXTRA_CA_CERTS=${bundle}`,
  ]);
});

test('the state folder of sbx must be outside of every workspace: an agent could write trusted files', async () => {
  const project = mkdtempSync(join(dir, 'holds-'));
  writeFileSync(join(project, 'sandbox.toml'), 'version = 1\n');
  mkdirSync(join(project, 'state'));
  for (const state of [join(project, 'state'), join(project, 'not', 'there', 'yet'), project, dir]) {
    const held = await call(['validate'], { cwd: project, env: { SBX_HOME: state } });
    expect(held).toMatchObject({ status: 2, stderr: expect.stringContaining('state folder of sbx') });
  }
  const beside = await call(['validate'], { cwd: project, env: { SBX_HOME: `${project}-state` } });
  expect(beside).toMatchObject({ status: 0, stderr: '' });
});

test.each([
  ['the root of the file system', () => '/', 'the root of the file system cannot be a project'],
  ['the home folder', () => realpathSync(mkdtempSync(join(dir, 'home-'))), 'your home folder cannot be a project'],
  // Of the kernel: also root cannot write there.
  ['a folder that cannot be written', () => '/proc', 'sandbox.toml cannot be written here'],
])('init in %s is refused, and nothing is written', async (_, make, message) => {
  const cwd = make();
  const { status, stderr } = await call(['init'], { cwd, env: cwd === '/proc' ? {} : { HOME: cwd } });
  isOneError(stderr);
  expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(message) });
  expect(existsSync(join(cwd, 'sandbox.toml'))).toBe(false);
});

test('all errors of a file are shown, each with its place', async () => {
  const cwd = mkdtempSync(join(dir, 'many-'));
  writeFileSync(join(cwd, 'sandbox.toml'), 'version = "1"\nnmae = "x"\n[lifecycle]\nidle = 30\n');
  const { status, stderr } = await call(['validate'], { cwd });
  expect(status).toBe(2);
  expect(
    stderr
      .trimEnd()
      .split('\n')
      .map((line) => line.replace(/(:\d+:\d+:).*; /, '$1 ')),
  ).toEqual([
    'sandbox.toml:1:11: version: must be 1',
    'why: it is "1"',
    'what to do: write it without quotes: version = 1',
    'sandbox.toml:2:1: did you mean "name"?',
    'sandbox.toml:4:8: write it in quotes, with its unit: idle = "30m"',
  ]);
});

test('a removed current folder is reported', async () => {
  const gone = mkdtempSync(join(dir, 'gone-'));
  const script = `rmdir "$PWD" && exec "${SBX}" exec -- true`;
  const { status, stderr } = await program('/bin/sh', ['-c', script], { cwd: gone });
  expect({ status, stderr }).toMatchObject({
    status: 125,
    stderr: expect.stringContaining('the current folder does not exist'),
  });
});

test('an invalid --env is reported before a sandbox is resolved', async () => {
  const { status, stderr } = await call(['exec', '-e', '=x', '--', 'true']);
  expect({ status, stderr }).toMatchObject({
    status: 125,
    stderr: expect.stringContaining('invalid --env: =x'),
  });
});

test.each([[''], ['help'], ['--help'], ['-h']])('sbx %s: all commands by task, with examples', async (...words) => {
  const { status, stdout, stderr } = await call(words.filter((word) => word !== ''));
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  for (const name of allCommands()) expect(stdout).toMatch(new RegExp(`^  ${name.join(' ')} +\\S`, 'm'));
  expect(stdout).toMatch(/^Examples\n {2}sbx init/m);
});
