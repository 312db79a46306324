/** The commands on a real machine: what they say as JSON, many at once, terminals, copies, logs. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn as spawnPty } from '@lydell/node-pty';
import { describe, expect, test } from 'vitest';
import { DaemonClient } from '../../../lib/api/client.ts';
import { allCommands } from '../../../lib/cli/app.ts';
import type { RatedStats } from '../../../lib/cli/view/stats-table.ts';
import { GuestConnection } from '../../../lib/guest/client/connection.ts';
import { homeOf } from '../../../lib/paths.ts';
import { appliedProject } from '../applied-project.ts';
import { HOME, inside, json, must, SBX, SHELL, sbx, statusOf, until } from '../harness.ts';

const p = appliedProject('commands', SHELL);

test('fifty commands run at once, each with its own streams and exit code', async () => {
  const client = new DaemonClient({ socketPath: homeOf({ SBX_HOME: HOME }).daemon.socket });
  await using guest = await GuestConnection.connect((await client.guest((await statusOf(p.dir)).id)).socket, {
    fresh: true,
  });
  const argv = ['sh', '-c', 'echo ready; read -r line; echo "$line"; exit 3'];
  const children = Array.from({ length: 50 }, () => guest.exec({ argv, stdin: true }));
  const outputs = children.map(({ stdout }) => {
    const seen = { text: '' };
    stdout.on('data', (chunk) => {
      seen.text += chunk;
    });
    return seen;
  });
  await until(async () => outputs.every(({ text }) => text === 'ready\n'));
  for (const [index, { stdin }] of children.entries()) stdin.end(`${index}\n`);
  expect(await Promise.all(children.map(({ exit }) => exit))).toEqual(children.map(() => ({ code: 3 })));
  expect(outputs.map(({ text }) => text)).toEqual(children.map((_, index) => `ready\n${index}\n`));
});

/** `sbx` on a terminal of its own. */
function onTerminal(args: string[], env: NodeJS.ProcessEnv = {}) {
  const pty = spawnPty(SBX, args, {
    cols: 100,
    rows: 30,
    cwd: p.dir,
    env: { ...process.env, SBX_HOME: HOME, TERM: 'xterm', ...env },
  });
  let text = '';
  pty.onData((data) => {
    text += data;
  });
  const code = new Promise<number>((resolve) => pty.onExit(({ exitCode }) => resolve(exitCode)));
  /** Waits for it, then forgets what came until then. */
  const see = async (wanted: RegExp) => {
    await until(async () => wanted.test(text), 50);
    text = '';
  };
  return { pty, code, see };
}

describe('on a terminal', () => {
  test('a shell knows its size and changes of it; ctrl-c reaches the command; the exit code is passed on', async () => {
    const { pty, code, see } = onTerminal(['shell']);
    await see(/[$#] $/);
    pty.write('stty size\r');
    await see(/30 100/);
    pty.resize(120, 40);
    // The new size travels beside the keys.
    pty.write('until [ "$(stty size)" = "40 120" ]; do sleep 0.2; done; echo si""zed\r');
    await see(/sized/);
    pty.write('sleep 1000; echo code $?\r');
    await see(/sleep 1000/);
    await until(() => inside(p.dir, 'pgrep -x sleep'));
    pty.write('\x03');
    pty.write('echo go""es on\r');
    await see(/goes on/);
    pty.write('exit 7\r');
    expect(await code).toBe(7);
  });

  test('a program gets the type of terminal that the guest knows, and the colours of the caller', async () => {
    const say = ['exec', '-t', '--', 'sh', '-c', 'echo type=$TERM colours=$COLORTERM; stty size'];
    const { code, see } = onTerminal(say, { TERM: 'xterm-kitty', COLORTERM: 'truecolor' });
    await see(/type=xterm-256color colours=truecolor[\s\S]*30 100/);
    expect(await code).toBe(0);
  });

  test('a stop names the command that it would end, and asks', async () => {
    const running = sbx(['exec', '--', 'sleep', '1000'], { cwd: p.dir });
    await until(() => inside(p.dir, 'pgrep -x sleep'));
    expect(await sbx(['stop'], { cwd: p.dir })).toMatchObject({ code: 4, stderr: expect.stringContaining('--yes') });
    const no = onTerminal(['stop']);
    await no.see(/is in use: .*: ends a command, shell or copy since [\s\S]*Continue\? \[y\/N\]/);
    no.pty.write('n\r');
    expect(await no.code).toBe(130);
    expect(await inside(p.dir, 'pgrep -x sleep')).not.toBe('');
    const yes = onTerminal(['stop']);
    await yes.see(/Continue\?/);
    yes.pty.write('y\r');
    expect(await yes.code).toBe(0);
    expect((await running).code).not.toBe(0);
    await must(['start'], { cwd: p.dir });
  });

  test('a widening change is confirmed with its line: no changes nothing, yes is remembered', async () => {
    p.write(`${SHELL}[network]\nallow = ["example.com"]\n`);
    const no = onTerminal(['apply']);
    await no.see(/network\.allow[\s\S]*sandbox\.toml:7[\s\S]*Allow it\? \[y\/N\]/);
    no.pty.write('n\r');
    expect(await no.code).toBe(4);
    const yes = onTerminal(['apply']);
    await yes.see(/Allow it\?/);
    yes.pty.write('y\r');
    expect(await yes.code).toBe(0);
    expect((await sbx(['plan', '--exit-code'], { cwd: p.dir })).code).toBe(0);
    p.write(SHELL);
    await must(['apply'], { cwd: p.dir });
  });
});

test('a script reads all lines of its stdin around exec, and a command gets what the host has and the guest knows', async () => {
  const env = { SBX_HOME: HOME, TZ: 'Europe/Berlin', LANG: 'xx_XX.UTF-8', FROM_HOST: 'a b' };
  const script = `while read -r line; do "$1" exec -- echo "$line"; done`;
  const child = spawn('sh', ['-c', script, 'sh', SBX], { cwd: p.dir, env: { ...process.env, ...env } });
  child.stdin.end('a\nb\nc\n');
  let lines = '';
  for await (const data of child.stdout) lines += data;
  expect(lines).toBe('a\nb\nc\n');
  const look = `[ -e /usr/share/zoneinfo/Europe/Berlin ] && zone=Europe/Berlin; [ "$TZ" = "$zone" ] && echo "$LANG" "$FROM_HOST"`;
  expect((await must(['exec', '-e', 'FROM_HOST', '--', 'sh', '-c', look], { cwd: p.dir, env })).stdout).toBe(
    'C.UTF-8 a b\n',
  );
  // As from [env]: both reach the guest in the same way. The image's own profile adds the folder of sbx.
  const login = ['exec', '-e', 'PATH=/usr/bin:/bin:/opt/own', '--', 'bash', '-lc', 'echo "$PATH"'];
  expect((await must(login, { cwd: p.dir })).stdout).toBe('/usr/bin:/bin:/opt/own:/opt/sbx/bin\n');
  // The helpers of sbx have short names in a list of processes.
  expect(await inside(p.dir, "ps -eo args | awk 'length > 400'")).toBe('');
});

test('copies keep modes, links, odd names and the content of a large file', async () => {
  const tree = join(p.dir, 'a tree');
  mkdirSync(join(tree, 'ünter'), { recursive: true });
  const large = randomBytes(16 * 1024 ** 2);
  writeFileSync(join(tree, 'large'), large);
  writeFileSync(join(tree, 'ünter', 'o\'dd "name"'), 'x');
  const modes: [string, number][] = [
    ['large', 0o640],
    ['ünter/o\'dd "name"', 0o755],
    ['ünter', 0o700],
  ];
  for (const [name, mode] of modes) chmodSync(join(tree, name), mode);
  symlinkSync('large', join(tree, 'link'));
  await must(['cp', 'a tree', ':/tmp/copied'], { cwd: p.dir });
  expect(
    await inside(p.dir, 'cd /tmp/copied && sha256sum <large && stat -c %a large ünter ünter/* && readlink link'),
  ).toBe(`${createHash('sha256').update(large).digest('hex')}  -\n640\n700\n755\nlarge`);
  await must(['cp', ':/tmp/copied', 'back again'], { cwd: p.dir });
  const back = join(p.dir, 'back again');
  expect(readFileSync(join(back, 'large')).equals(large)).toBe(true);
  for (const [name, mode] of modes) expect(statSync(join(back, name)).mode & 0o777).toBe(mode);
  expect(readlinkSync(join(back, 'link'))).toBe('large');
});

test('copies keep holes, both ways', async () => {
  const place = 400_000_000;
  const fd = openSync(join(p.dir, 'sparse'), 'w');
  writeSync(fd, randomBytes(4096), 0, 4096, place);
  ftruncateSync(fd, 1024 ** 3);
  closeSync(fd);
  await must(['cp', 'sparse', ':/tmp/sparse'], { cwd: p.dir });
  const [size, blocks] = (await inside(p.dir, "stat -c '%s %b' /tmp/sparse")).split(' ').map(Number);
  expect(size).toBe(1024 ** 3);
  expect(blocks).toBeLessThan(1000);
  await must(['cp', ':/tmp/sparse', 'sparse again'], { cwd: p.dir });
  expect(statSync(join(p.dir, 'sparse again')).blocks).toBeLessThan(1000);
  const middle = (name: string) => execFileSync('dd', [`if=${join(p.dir, name)}`, 'bs=4k', 'count=3', 'skip=97656']);
  expect(statSync(join(p.dir, 'sparse again')).size).toBe(size);
  expect(middle('sparse again').equals(middle('sparse'))).toBe(true);
});

describe('a copy that is interrupted leaves no half file, and the next one works', () => {
  const part = (names: string[]) => names.some((name) => name.startsWith('.sbx-cp-'));

  test('in, by SIGTERM', async () => {
    execFileSync('fallocate', ['-l', '1G', join(p.dir, 'large')]);
    const parts = async () => part((await inside(p.dir, 'ls -A /tmp')).split('\n'));
    const onStart = (child: ChildProcess) => void until(parts, 20).then(() => child.kill('SIGTERM'));
    const { code, stderr } = await sbx(['cp', 'large', ':/tmp/large'], { cwd: p.dir, onStart });
    expect([code, stderr]).toEqual([130, expect.stringMatching(/cancelled\n.*stays there/)]);
    expect(await until(async () => !(await parts()))).toBe(true);
    expect(await inside(p.dir, 'test -e /tmp/large || echo none')).toBe('none');
    await must(['cp', 'sandbox.toml', ':/tmp/after'], { cwd: p.dir });
  });

  test('out, by Ctrl-C', async () => {
    await inside(p.dir, 'fallocate -l 1G /tmp/large');
    const parts = async () => part(readdirSync(p.dir));
    const onStart = (child: ChildProcess) => void until(parts, 20).then(() => child.kill('SIGINT'));
    const { code, stderr } = await sbx(['cp', ':/tmp/large', 'out'], { cwd: p.dir, onStart });
    expect([code, stderr]).toEqual([130, expect.stringMatching(/cancelled\n.*nothing was written/)]);
    expect(readdirSync(p.dir).filter((name) => name === 'out' || name.startsWith('.sbx-cp-'))).toEqual([]);
    await must(['cp', ':/tmp/after', 'after'], { cwd: p.dir });
    expect(readFileSync(join(p.dir, 'after'), 'utf8')).toBe(readFileSync(join(p.dir, 'sandbox.toml'), 'utf8'));
    await inside(p.dir, 'rm /tmp/large');
  });
});

test('logs -f shows lines as they arrive, until ctrl-c', async () => {
  let seen = '';
  const following = sbx(['logs', '--console', '-f', '-n', '0'], {
    cwd: p.dir,
    onStart: (child) => {
      child.stdout?.on('data', (chunk) => {
        seen += chunk;
      });
      void until(async () => {
        await inside(p.dir, 'echo said-to-the-console | sudo tee /dev/console');
        return seen.includes('said-to-the-console');
      }).then(() => child.kill('SIGINT'));
    },
  });
  expect((await following).code).toBe(130);
});

test('stats: what a busy sandbox uses, here and inside, and what the gateway let through', async () => {
  const stats = async () => (await json<RatedStats[]>(['stats'], { cwd: p.dir }))[0];
  const before = await stats();
  await sbx(['exec', '--', 'curl', '-s', 'http://denied.example/'], { cwd: p.dir });
  let busy: ChildProcess | undefined;
  const ended = sbx(['exec', '--', 'sh', '-c', 'while :; do :; done'], {
    cwd: p.dir,
    onStart: (child) => {
      busy = child;
    },
  });
  // Other programs have the processors of the host, too: any part of one is more than an idle guest uses.
  const isBusy = (one: RatedStats | undefined) =>
    (one?.rates.hostCpuPercent ?? 0) > 10 && (one?.rates.guestCpuPercent ?? 0) > 10 ? one : undefined;
  const now = await until(async () => isBusy(await stats()));
  busy?.kill('SIGTERM');
  await ended;
  expect(now.network?.denied).toBeGreaterThan(before?.network?.denied ?? Number.POSITIVE_INFINITY);
  expect(now.guest?.processes).toBeGreaterThan(before?.guest?.processes ?? Number.POSITIVE_INFINITY);
  expect(now.host?.memoryBytes).toBeGreaterThan(1024 ** 2);
  expect(now.guest?.memoryBytes).toBeLessThanOrEqual(512 * 1024 ** 2);
  expect(now.guest?.memoryUsedBytes).toBeLessThan(now.guest?.memoryBytes ?? 0);
  expect(now.guest?.diskUsedBytes).toBeLessThan(now.guest?.diskBytes ?? 0);
});

test('gc --dry-run removes nothing', async () => {
  const before = readdirSync(join(HOME, 'store')).toSorted();
  const first = await json<{ items: unknown[]; freedBytes: number }>(['gc', '--dry-run'], { cwd: p.dir });
  expect(await json(['gc', '--dry-run'], { cwd: p.dir })).toEqual(first);
  expect(readdirSync(join(HOME, 'store')).toSorted()).toEqual(before);
});

/** Tested in clone.test.ts, mcp.test.ts, private-work.test.ts and ssh.test.ts */
const ELSEWHERE = ['accept', 'fetch', 'mcp accept', 'mcp log', 'mcp ls', 'ssh-proxy'];

test('every command prints only JSON with --json', async () => {
  const empty = mkdtempSync(join(tmpdir(), 'sbx-init-'));
  const secret = `test-${process.pid}`;
  const calls: [words: string, args?: string[], answer?: object, cwd?: string][] = [
    ['init', [], { agent: 'shell' }, empty],
    ['validate', [], { valid: true }],
    ['lock', [], { changed: false, templates: [] }],
    ['plan', [], { changes: [], steps: [] }],
    ['apply', [], { steps: [] }],
    ['ls'],
    ['status', [], { state: 'running' }],
    ['stats'],
    ['version', [], { node: process.version }],
    ['inspect', [], { state: 'running' }],
    ['exec', ['--', 'sh', '-c', 'echo out']],
    ['shell'],
    ['cp', ['sandbox.toml', ':/tmp/x'], { entries: 1 }],
    ['run', ['--headless', 'echo out']],
    ['logs', ['--console', '-n', '1']],
    ['diff', [], { diff: '', changes: [] }],
    ['workspace check', ['sandbox.toml'], { read: 'private', write: 'private' }],
    ['ports', ['--publish', '0:3000']],
    ['ssh-config'],
    ['open', ['--print'], { host: expect.stringMatching(/\.sbx$/) }],
    ['net allow', ['example.com', '--for', '1h']],
    ['net check', ['example.com'], { allow: true }],
    ['net deny', ['denied.example'], { entries: ['denied.example'], live: true }],
    ['net revoke', ['denied.example'], { live: true }],
    ['net log'],
    ['net suggest'],
    ['secret set', [secret, '--from-env', 'PATH'], { name: secret }],
    ['secret ls'],
    ['secret rm', [secret], { removed: true }],
    ['template ls'],
    ['template show', ['shell'], { name: 'shell' }],
    ['doctor', [], { ok: true }],
    ['gc', ['--dry-run', '--keep', '7'], { dryRun: true, kept: expect.any(Array) }],
    ['completion', ['fish'], { shell: 'fish' }],
    ['stop', [], { state: 'stopped' }],
    ['snapshot create', ['one'], { snapshots: [expect.objectContaining({ label: 'one', fits: true })] }],
    ['snapshot ls'],
    ['snapshot restore', ['one', '--yes']],
    ['snapshot rm', ['one'], { snapshots: [] }],
    ['start', [], { state: 'running' }],
    ['restart', [], { state: 'running' }],
    ['suspend', [], { state: 'suspended' }],
    ['reset', ['--yes'], { state: 'running' }],
    ['rm', ['--yes'], { removed: [expect.anything()] }],
    ['daemon status', [], { running: true }],
    ['daemon logs', ['-n', '1']],
    ['daemon stop', [], { stopped: true }],
  ];
  for (const [words, args = [], answer = {}, cwd = p.dir] of calls) {
    const { code, stdout, stderr } = await sbx([...words.split(' '), '--json', ...args], { cwd });
    expect({ words, code, stderr }).toEqual({ words, code: 0, stderr: '' });
    const documents = stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line));
    if (words in LINES) expect(documents).toEqual(LINES[words]);
    else expect({ words, documents }).toEqual({ words, documents: [expect.objectContaining(answer)] });
  }
  rmSync(empty, { recursive: true });
  expect([...calls.map(([words]) => words), ...ELSEWHERE].toSorted()).toEqual(
    allCommands()
      .map((words) => words.join(' '))
      .toSorted(),
  );
  await must(['apply', '--yes'], { cwd: p.dir });
});

/** Commands that tell what happens: a document a line */
const LINES: Record<string, unknown> = {
  ports: [[expect.objectContaining({ guest: 3000, from: 'publish' })]],
  ls: [expect.arrayContaining([expect.objectContaining({ name: expect.any(String), state: 'running' })])],
  stats: [
    [
      expect.objectContaining({
        state: 'running',
        rates: expect.objectContaining({ hostCpuPercent: expect.any(Number) }),
      }),
    ],
  ],
  exec: [{ stream: 'stdout', data: 'out\n' }, { exit: { code: 0 } }],
  run: [
    { started: { sandbox: expect.any(String), session: expect.any(Number) } },
    { stream: 'stdout', data: 'out\n' },
    { exit: { code: 0 } },
  ],
  shell: [{ exit: { code: 0 } }],
  // The test before has made it say something.
  logs: [{ line: expect.stringMatching(/^[^\r]+$/) }],
  'daemon logs': Array(1).fill({ line: expect.any(String) }),
  'secret ls': [expect.arrayContaining([expect.objectContaining({ name: expect.stringMatching(/^test-/) })])],
  'template ls': [expect.arrayContaining([expect.objectContaining({ name: 'shell' })])],
  'net log': expect.any(Array),
};
