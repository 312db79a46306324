/** `sbx stats`: the built command line against the daemon's own server, whose sandboxes are figures. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { spawn } from '@lydell/node-pty';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { DaemonService } from '../../../../../lib/api/contract.ts';
import { readBuild } from '../../../../../lib/api/ensure-daemon.ts';
import type { SandboxStats } from '../../../../../lib/api/sandbox-stats.ts';
import { serve } from '../../../../../lib/daemon/server.ts';
import { SbxError } from '../../../../../lib/errors.ts';
import { homeOf } from '../../../../../lib/paths.ts';
import { listed } from '../session/rig.ts';

const SBX = resolve('bin/sbx');

let root: string;
let env: NodeJS.ProcessEnv;
let server: AsyncDisposable;
/** Sandboxes that have figures, and whether each runs */
let running: Record<string, boolean>;
let asked: string[];

beforeAll(async () => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-stats-')));
  const home = homeOf({ SBX_HOME: join(root, 'home') });
  mkdirSync(home.root, { mode: 0o700 });
  mkdirSync(join(root, 'shop'));
  env = { ...process.env, SBX_HOME: home.root, TERM: 'xterm', NO_COLOR: '1', CI: '' };
  const service = {
    build: readBuild(resolve('dist')),
    list: async () => [
      listed({ id: 'x1', name: 'one', projectDir: join(root, 'shop') }),
      listed({ id: 'x2', name: 'two', projectDir: join(root, 'shop') }),
      listed({ id: 'x3', name: 'other', project: 'blog', projectDir: '/gone/blog' }),
    ],
    stats: async (id: string) => figures(id),
  };
  server = await serve(home, service as unknown as DaemonService);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});
beforeEach(() => {
  running = { x1: true, x2: false, x3: true };
  asked = [];
});

function figures(id: string): SandboxStats {
  if (running[id] === undefined) throw new SbxError('not-found', 'no such sandbox');
  asked.push(id);
  const name = { x1: 'one', x2: 'two', x3: 'other' }[id] ?? '';
  const about = { id, name, project: id === 'x3' ? 'blog' : 'shop', atMs: Date.now(), cpus: 2, diskBytes: 1024 };
  if (running[id] === false) return { ...about, state: 'stopped', host: null, guest: null, network: null };
  const host = { cpuMs: Date.now(), memoryBytes: 1024 };
  return { ...about, state: 'running', host, guest: null, network: null };
}

function sbx(args: string[], cwd = join(root, 'shop')) {
  return new Promise<{ code: number; stdout: string; stderr: string }>((done) => {
    execFile(SBX, args, { cwd, env }, (error, stdout, stderr) =>
      done({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

const namesIn = (stdout: string) => stdout.split('\n').flatMap((line) => /^(?:\w+\/)?(one|two|other)/.exec(line) ?? []);

test('without a terminal: one table of the sandboxes of the project, with rates', async () => {
  const { code, stdout, stderr } = await sbx(['stats']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  // A processor that was busy all the time; a stopped sandbox has its disk only.
  expect(stdout).toMatch(/^NAME +CPU .*\none +\d+\.\d% +- +1\.0 KiB .*\ntwo +- +- +- +- +1\.0 KiB +-/);
  expect(stdout.split('\n')).toHaveLength(4);
  expect(stdout).not.toContain('\x1b');
});

test('--json: one document', async () => {
  const { stdout } = await sbx(['stats', '--json', 'one']);
  expect(stdout.split('\n')).toHaveLength(2);
  const [one] = JSON.parse(stdout);
  expect(one).toMatchObject({ id: 'x1', name: 'one', guest: null, rates: { guestCpuPercent: null } });
  expect(one.rates.hostCpuPercent).toBeGreaterThan(0);
});

test('names, --all and another folder choose', async () => {
  expect(namesIn((await sbx(['stats', '--once', 'two', 'one', 'two'])).stdout)).toEqual(
    expect.arrayContaining(['two', 'one']),
  );
  for (const { stdout } of [await sbx(['stats', '--all']), await sbx(['stats'], '/usr')])
    expect(stdout).toMatch(/^shop\/one .*\nshop\/two .*\nblog\/other /m);
  expect(await sbx(['stats', 'none'])).toMatchObject({ code: 1, stderr: expect.stringContaining('"none"') });
});

test('where nothing runs it is read once, and not waited for', async () => {
  expect((await sbx(['stats', 'two'])).code).toBe(0);
  expect(asked).toEqual(['x2']);
});

test('a sandbox that is removed meanwhile is left out', async () => {
  delete running['x2'];
  expect((await sbx(['stats'])).stdout).not.toContain('two');
});

test.each([
  ['--once', '--watch'],
  ['--all', 'one'],
])('%s and %s contradict each other', async (...args) => {
  expect(await sbx(['stats', ...args])).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining(args[0] ?? ''),
  });
});

test('on a terminal the table is drawn again in its place until Ctrl-C, which exits with 130', async () => {
  const terminal = spawn(SBX, ['stats'], {
    cwd: join(root, 'shop'),
    env: env as Record<string, string>,
    cols: 120,
    rows: 30,
  });
  let text = '';
  terminal.onData((data) => {
    text += data;
  });
  const exit = new Promise<number>((done) => terminal.onExit(({ exitCode }) => done(exitCode)));
  await vi.waitUntil(() => text.includes('\x1b[3A\x1b[JNAME'), { timeout: 60_000 });
  expect(text.startsWith('\x1b[JNAME')).toBe(true);
  terminal.write('\x03');
  expect(await exit).toBe(130);
});
