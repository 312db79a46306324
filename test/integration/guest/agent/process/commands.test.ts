import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ask, groupGone, outcomeOf, readUntil, runner, textOf, useAgent } from '../agent-rig.ts';

const MIB = 1024 ** 2;

const rig = useAgent();
const run = runner(rig);
const sh = (script: string, more = {}) => run(['sh', '-c', script], more);

describe('a command', () => {
  test('ping', async () => {
    expect(await rig.guest.request('ping', {})).toEqual({ ok: true });
  });

  test('stdout and stderr stay apart', async () => {
    expect(await sh('echo out; echo err >&2')).toEqual({ code: 0, stdout: 'out\n', stderr: 'err\n' });
  });

  test('folder, environment and arguments arrive as they are', async () => {
    const argv = ['sh', '-c', 'pwd; printf "%s|" "$FOO" "$@"', 'sh', '-n', '', 'a b', "'", '$HOME', 'ü\n'];
    const { stdout } = await run(argv, { cwd: '/tmp', env: { FOO: 'bar baz' } });
    expect(stdout).toBe("/tmp\nbar baz|-n||a b|'|$HOME|ü\n|");
  });

  test('a command line much longer than a frame', async () => {
    const word = 'x'.repeat(100_000);
    const { code, stdout } = await run(['sh', '-c', 'echo "$#"; printf %s "$1" | wc -c', 'sh', word, word, word]);
    expect({ code, stdout: stdout.trim().split(/\s+/) }).toEqual({ code: 0, stdout: ['3', '100000'] });
  });

  test('126: a command line that the kernel does not take', async () => {
    expect(await run(['echo', 'x'.repeat(200_000)])).toMatchObject({ code: 126, stdout: '' });
    expect(await run(['echo', 'a\0b'])).toMatchObject({ code: 126, stdout: '' });
    expect(await rig.guest.request('ping', {})).toEqual({ ok: true });
  });

  test.each([0, 1, 7, 255])('exit code %i', async (code) => {
    expect(await sh(`exit ${code}`)).toMatchObject({ code });
  });

  test('127: there is no such command', async () => {
    const found = await run(['no-such-command-here']);
    expect(found).toMatchObject({ code: 127, stdout: '' });
    expect(found.stderr).toContain('no-such-command-here');
    expect(await run(['/no/such/file'])).toMatchObject({ code: 127 });
    expect(await run([''])).toMatchObject({ code: 127 });
    expect(await run([])).toMatchObject({ code: 127 });
  });

  test('126: not executable, in a missing folder, or by an unknown user', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'sbx-exec-'));
    try {
      writeFileSync(join(dir, 'plain'), 'echo no\n', { mode: 0o644 });
      writeFileSync(join(dir, 'wrong'), '#!/no/such/interpreter\n', { mode: 0o755 });
      expect(await run([join(dir, 'plain')])).toMatchObject({ code: 126, stdout: '' });
      expect(await run([join(dir, 'wrong')])).toMatchObject({ code: 126, stdout: '' });
      expect(await run(['true'], { cwd: join(dir, 'none') })).toMatchObject({ code: 126 });
      expect(await run(['true'], { user: 'no-such-user' })).toMatchObject({ code: 126 });
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test.each([
    ['SIGKILL', 137],
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ])('128 + n: ended by %s', async (signal, code) => {
    expect(await sh(`kill -${signal.slice(3)} $$`)).toMatchObject({ code, signal });
  });

  test('a background process does not hold up the end, and its output before it is kept', async () => {
    const from = Date.now();
    const found = await sh('echo before; sleep 20 & echo $$');
    const [before, group] = found.stdout.split('\n');
    expect(before).toBe('before');
    expect(Date.now() - from).toBeLessThan(5_000);
    process.kill(-Number(group), 'SIGKILL');
  });
});

describe('stdin', () => {
  test('its end ends the reader', async () => {
    const child = rig.guest.exec(ask(['cat'], { stdin: true }));
    child.stdin.write('one ');
    child.stdin.end('two');
    expect(await outcomeOf(child)).toEqual({ code: 0, stdout: 'one two', stderr: '' });
  });

  test('stays open until then', async () => {
    const child = rig.guest.exec(ask(['sh', '-c', 'read a; echo "got $a"; read b || echo end'], { stdin: true }));
    child.stdin.write('line\n');
    await readUntil(child.stdout, /got line\n/);
    child.stdin.end();
    expect(await textOf(child.stdout)).toBe('end\n');
  });

  test('without one the command reads nothing', async () => {
    expect(await run(['cat'])).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test('a command that does not read it ends all the same', async () => {
    const child = rig.guest.exec(ask(['sh', '-c', 'exec <&-; sleep 0.1; echo done'], { stdin: true }));
    child.stdin.on('error', () => {});
    child.stdin.write(Buffer.alloc(4 * MIB));
    expect(await outcomeOf(child)).toMatchObject({ code: 0, stdout: 'done\n' });
  });
});

describe('signals', () => {
  test('reach the whole group', async () => {
    const child = rig.guest.exec(ask(['sh', '-c', 'echo $$; sleep 1000 & sleep 1000']));
    const group = Number(await readUntil(child.stdout, /\d+\n/));
    child.kill('SIGTERM');
    expect(await child.exit).toEqual({ code: 143, signal: 'SIGTERM' });
    expect(await groupGone(group, 2_000)).toBe(true);
  });

  test('can be caught', async () => {
    const child = rig.guest.exec(
      ask(['sh', '-c', 'trap "echo caught; exit 5" INT; echo ready; while :; do sleep 0.05; done']),
    );
    await readUntil(child.stdout, /ready\n/);
    child.kill('SIGINT');
    expect(await outcomeOf(child)).toMatchObject({ code: 5, stdout: 'caught\n' });
  });

  test('one that is unknown does nothing', async () => {
    const child = rig.guest.exec(ask(['sh', '-c', 'echo ready; read x; echo still'], { stdin: true }));
    await readUntil(child.stdout, /ready\n/);
    child.kill('SIGNOTHING');
    child.kill('constructor');
    child.stdin.end('x\n');
    expect(await outcomeOf(child)).toMatchObject({ code: 0, stdout: 'still\n' });
  });
});

describe('the agent refuses', () => {
  test('an unknown service', async () => {
    await expect(rig.guest.request('no-such-service' as 'ping', {})).rejects.toMatchObject({ code: 'guest-protocol' });
    expect(await rig.guest.request('ping', {})).toEqual({ ok: true });
  });
});
