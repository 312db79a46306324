/** `sbx exec`: stdin, exit codes, folder, environment, and a sandbox that is down. */
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { SbxError } from '../../../../../lib/errors.ts';
import { startWorld, type World } from './rig.ts';

const USER = String(process.getuid?.());
let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => {
  world.starts.length = 0;
});

const exec = (args: string[], ...more: [options?: Parameters<World['sbx']>[1]]) =>
  world.sbx(['exec', '-u', USER, ...args], ...more);
const sh = (script: string) => ['--', 'sh', '-c', script];

test('a loop over lines of stdin runs for each line; with -i a command takes the rest', async () => {
  const loop = (flags: string) => `while read -r line; do echo "$line"; sbx exec ${flags} -u ${USER} -- cat; done`;
  expect(await world.script(loop(''), 'a\nb\nc\n')).toEqual({ code: 0, stdout: 'a\nb\nc\n', stderr: '' });
  expect(await world.script(loop('-i'), 'a\nb\nc\n')).toEqual({ code: 0, stdout: 'a\nb\nc\n', stderr: '' });
  const each = loop('-i').replace('-- cat', '-- sh -c "echo got; cat"');
  expect((await world.script(each, 'a\nb\nc\n')).stdout).toBe('a\ngot\nb\nc\n');
});

test('-t without a terminal takes nothing of stdin', async () => {
  const { stdout } = await world.script(`sbx exec -t -u ${USER} -- echo x; cat`, 'rest\n');
  expect(stdout).toBe('x\r\nrest\n');
});

test.each([
  ['the code of a command', sh('exit 42'), 42],
  ['a command that does not exist', ['--', 'no-such-command'], 127],
  ['a command that cannot be executed', ['--', '/etc/passwd'], 126],
  ['a signal', sh('kill -TERM $$'), 143],
  ['an unknown flag', ['--wrong', '--', 'true'], 125],
  ['no command', [], 125],
  ['an invalid variable', ['-e', '=x', '--', 'true'], 125],
  ['an unknown sandbox', ['none', '--', 'true'], 125],
])('%s has its exit code', async (_what, args, code) => {
  if (args[0] === 'none') world.down = new SbxError('not-found', 'no sandbox named "none"');
  expect((await exec(args)).code).toBe(code);
  world.down = undefined;
});

test('run and shell fail with 125 as well', async () => {
  for (const words of [['run', '--wrong'], ['run'], ['shell', '--wrong']])
    expect([words, (await world.sbx(words)).code]).toEqual([words, 125]);
});

test('the folder: that of the caller in the workspace, or relative to the workspace', async () => {
  const sub = join(world.dir, 'sub', 'deep er');
  mkdirSync(sub, { recursive: true });
  const pwd = async (cwd: string, ...flags: string[]) => (await exec([...flags, '--', 'pwd'], { cwd })).stdout.trim();
  expect(await pwd(world.dir)).toBe(world.dir);
  expect(await pwd(sub)).toBe(sub);
  expect(await pwd('/usr', 'shop')).toBe(world.dir);
  expect(await pwd(sub, '-w', 'sub')).toBe(join(world.dir, 'sub'));
  expect(await pwd(sub, '-w', '.')).toBe(world.dir);
  expect(await pwd(sub, '-w', '/usr')).toBe('/usr');
  expect(await exec(['-w', 'none', '--', 'pwd'])).toMatchObject({ code: 126, stdout: '' });
});

test('variables: from files, then from flags; a name alone passes the value of the host', async () => {
  writeFileSync(join(world.dir, 'a.env'), '# a comment\nexport A="1 # not a comment"\nB=2\r\nC=file # comment\n');
  const flags = ['--env-file', 'a.env', '-e', 'C=flag', '-e', 'FROM_HOST', '-e', 'NOT_SET', '-e', 'EMPTY='];
  const { stdout } = await exec([...flags, '--', 'env'], {
    env: { FROM_HOST: 'a=b c' },
  });
  const given = stdout.split('\n').filter((line) => /^(A|B|C|FROM_HOST|NOT_SET|EMPTY)=/.test(line));
  expect(given.toSorted()).toEqual(['A=1 # not a comment', 'B=2', 'C=flag', 'EMPTY=', 'FROM_HOST=a=b c']);
});

test('a wrong line of a file of variables is named, before a sandbox is started', async () => {
  world.down = new SbxError('not-running', 'shop is not running');
  writeFileSync(join(world.dir, 'b.env'), 'A=1\n\nno value\n');
  const { code, stderr } = await exec(['--env-file', 'b.env', '--', 'true']);
  expect(code).toBe(125);
  expect(stderr).toMatch(/^b\.env:3:1: invalid line of --env-file\nwhy: it is not NAME=value\nwhat to do: /);
  expect((await exec(['--env-file', 'none.env', '--', 'true'])).stderr).toContain('it does not exist');
  expect(world.starts).toEqual([]);
  world.down = undefined;
});

describe('a file of variables that an agent wrote', () => {
  const attack = () => {
    const marker = join(world.dir, 'ran-on-the-host');
    rmSync(marker, { force: true });
    writeFileSync(join(world.dir, 'evil.cjs'), `require('node:fs').writeFileSync(${JSON.stringify(marker)}, '');`);
    writeFileSync(join(world.dir, 'evil.env'), `NODE_OPTIONS=--require=${join(world.dir, 'evil.cjs')}\n`);
    return { marker, words: ['exec', '-u', USER, '--env-file', 'evil.env', '--', 'true'] };
  };

  test('is not read through a link below the current folder', async () => {
    writeFileSync(join(world.dir, '..', 'secret.env'), 'SECRET=1\n');
    symlinkSync('../secret.env', join(world.dir, 'planted.env'));
    mkdirSync(join(world.dir, 'folder'));
    symlinkSync('../..', join(world.dir, 'folder/up'));
    for (const file of ['planted.env', 'folder/up/secret.env']) {
      const { code, stderr } = await exec(['--env-file', file, '--', 'env']);
      expect([code, stderr]).toEqual([125, expect.stringContaining('is behind a link')]);
    }
    // The twin: by its own name it is read.
    expect((await exec(['--env-file', '../secret.env', '--', 'env'])).stdout).toContain('SECRET=1');
  });

  test('does not set options of the Node that runs sbx', async () => {
    const { marker, words } = attack();
    expect(await world.sbx(words)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(existsSync(marker)).toBe(false);
  });

  test('would do so without the `--` before the words of sbx', async () => {
    const { marker, words } = attack();
    await world.script(`node ${resolve('bin/sbx')} ${words.join(' ')}`);
    expect(existsSync(marker)).toBe(true);
  });
});

test.each([
  ['was stopped', new SbxError('not-running', 'shop is not running')],
  ['was stopped when idle', new SbxError('stopped-idle', 'shop is not running', { why: 'stopped after 1 h' })],
  ['is starting', new SbxError('not-running', 'shop is still starting')],
])('a sandbox that %s is started, or waited for, and runs the command once', async (_what, down) => {
  world.down = down;
  expect(await exec(sh('echo once'))).toMatchObject({ code: 0, stdout: 'once\n' });
  expect(world.starts).toEqual(['x1']);
});
