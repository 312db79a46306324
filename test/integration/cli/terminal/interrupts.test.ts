/** Ctrl-C and signals against a guest that does not answer: the built command line, the daemon's own server and a guest that the test plays. */
import { type ChildProcess, spawn as spawnProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { spawn } from '@lydell/node-pty';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { DaemonService } from '../../../../lib/api/contract.ts';
import { readBuild } from '../../../../lib/api/ensure-daemon.ts';
import { serve } from '../../../../lib/daemon/server.ts';
import { relayGuest } from '../../../../lib/guest/client/relay.ts';
import { encodeData } from '../../../../lib/guest/protocol/wire.ts';
import { homeOf, instancePaths } from '../../../../lib/paths.ts';
import { fakeGuest, type Rig, type Serve } from '../../guest/client/relay-rig.ts';
import { listed } from '../commands/session/rig.ts';

const SBX = fileURLToPath(new URL('../../../../bin/sbx', import.meta.url));
const DIST = fileURLToPath(new URL('../../../../dist', import.meta.url));

let dir: string;
let env: NodeJS.ProcessEnv;
let guest: Rig;
/** Bytes of input that the guest got */
let heard: number;
const closing: (() => PromiseLike<unknown>)[] = [];
const until = (condition: () => boolean) => vi.waitUntil(condition, { timeout: 60_000, interval: 5 });
const asked = (service: string) => guest.heard.filter((one) => one.service === service);

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-int-'));
  env = { ...process.env, SBX_HOME: dir };
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  rmSync(dir, { recursive: true, force: true });
});

/** A daemon with one sandbox, whose guest does what `play` says; without it, it takes everything and answers nothing. */
async function sandbox(play: Serve = () => ({})): Promise<void> {
  heard = 0;
  guest = await fakeGuest((one) => ({
    onData(_channel, data, taken) {
      heard += data.length;
      taken();
    },
    ...play(one),
  }));
  const service = {
    build: readBuild(DIST),
    list: async () => [listed({ id: '1', projectDir: dir })],
    inspect: async () => ({
      ...listed({ id: '1' }),
      spec: { agent: { headless: ['agent', '{prompt}'], command: [] } },
    }),
    guest: async () => ({
      place: { id: '1', name: 'shop', workspace: '/', mailbox: join(dir, 'none') },
      serve: (socket: Duplex) => relayGuest(socket, guest.guest, (_service, body) => body),
    }),
  } as unknown as DaemonService;
  const server = await serve(homeOf({ SBX_HOME: dir }), service);
  closing.push(
    () => server[Symbol.asyncDispose](),
    async () => void guest.inside.destroy(),
  );
}

function sbx(args: string[]): {
  child: ChildProcess;
  stdout: () => string;
  stderr: () => string;
  end: Promise<[number | null, string | null]>;
} {
  const child = spawnProcess(SBX, args, { env, cwd: dir, stdio: ['pipe', 'pipe', 'pipe'] });
  const text = { stdout: '', stderr: '' };
  for (const one of ['stdout', 'stderr'] as const)
    child[one]?.on('data', (data: Buffer) => {
      text[one] += data.toString();
    });
  return {
    child,
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    end: new Promise((done) => child.once('close', (code, signal) => done([code, signal]))),
  };
}

const SLEEP = ['exec', '-i', 'shop', '--', 'sleep', '1000'];

/** The client passes its input on only after it listens for signals. */
async function listening(child: ChildProcess): Promise<void> {
  child.stdin?.write('x');
  await until(() => heard > 0);
}

describe('a command in a guest that does not answer', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const)('ends on %s', async (signal) => {
    await sandbox();
    const { child, stderr, end } = sbx(SLEEP);
    await listening(child);
    child.kill(signal);
    expect(await end).toEqual([128 + constants.signals[signal], null]);
    expect(stderr()).toContain('has not ended within a second; disconnected');
    expect(asked('exec')[0]?.controls).toEqual([{ signal }]);
    // The guest hears that its client is gone: it ends the command when it can.
    await until(() => asked('exec')[0]?.resets.length === 1);
  });

  test('ends at once on the second Ctrl-C', async () => {
    await sandbox();
    const { child, stderr, end } = sbx(SLEEP);
    await listening(child);
    child.kill('SIGINT');
    await until(() => asked('exec')[0]?.controls.length === 1);
    child.kill('SIGINT');
    expect(await end).toEqual([130, null]);
    expect(stderr()).toContain('interrupted again; disconnected');
  });

  test.each([
    ['rubbish', Buffer.alloc(100_000, 'rubbish')],
    ['half a frame', encodeData(1, 1, Buffer.alloc(1000)).subarray(0, 500)],
  ])('ends after %s from the port', async (_what, bytes) => {
    await sandbox();
    const { child, end } = sbx(SLEEP);
    await listening(child);
    guest.inside.write(bytes);
    child.kill('SIGINT');
    expect((await end)[0]).not.toBe(0);
  });

  test('ends while its output is not read', async () => {
    await sandbox(({ stream, service }) => {
      if (service === 'exec') void stream.send(1, Buffer.alloc(4 * 1024 ** 2, 'x'));
      return {};
    });
    const { child, end } = sbx(['exec', '-i', 'shop', '--', 'yes']);
    child.stdout?.pause();
    await listening(child);
    child.kill('SIGTERM');
    child.once('exit', () => child.stdout?.resume());
    expect(await end).toEqual([143, null]);
  });

  test.each([
    ['SIGINT', [130, null]],
    ['SIGTERM', [130, null]],
    ['SIGHUP', [130, null]],
  ] as const)('a copy ends on %s', async (signal, expected) => {
    await sandbox();
    const { child, end } = sbx(['cp', SBX, 'shop:/tmp/x']);
    await until(() => guest.heard.length > 0);
    child.kill(signal);
    expect(await end).toEqual(expected);
  });
});

describe('what only shows ends with 128 + the number of the signal, and so does an agent that does not answer', () => {
  const AUDIT = {
    time: '2026-01-02T00:00:00Z',
    sandbox: 'shop',
    host: 'shown.test',
    port: 443,
    verdict: 'allow',
    reason: 'rule',
  };
  const write = (path: string, line: string) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, line);
  };
  const follows: [what: string, args: string[], begin: () => void, begun: (stdout: string) => boolean][] = [
    ['the output of the agent', ['logs', '-f', 'shop'], () => {}, () => asked('session-log').length > 0],
    [
      'the log of the daemon',
      ['logs', '--daemon', '-f'],
      () => write(homeOf({ SBX_HOME: dir }).daemon.log, 'a line\n'),
      (stdout) => stdout.includes('a line'),
    ],
    [
      'the requests',
      ['net', 'log', '-f', 'shop'],
      () => write(instancePaths(homeOf({ SBX_HOME: dir }), '1').audit, `${JSON.stringify(AUDIT)}\n`),
      (stdout) => stdout.includes('shown.test'),
    ],
    ['a run', ['run', '-i', 'shop', '--headless', 'hello'], () => {}, () => heard > 0],
  ];
  const cases = follows.flatMap((one) =>
    (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).map((signal) => [one[0], signal, one] as const),
  );
  test.each(cases)('%s, %s', async (_what, signal, [, args, begin, begun]) => {
    await sandbox();
    begin();
    const { child, stdout, end } = sbx(args);
    // A run passes its input on only after it listens for signals.
    child.stdin?.on('error', () => {}).write('x');
    await until(() => begun(stdout()) || child.exitCode !== null);
    child.kill(signal);
    expect(await end).toEqual([128 + constants.signals[signal], null]);
  });

  test('also while its output is not read', async () => {
    await sandbox();
    write(homeOf({ SBX_HOME: dir }).daemon.log, 'a line of the log\n'.repeat(200_000));
    const { child, end } = sbx(['logs', '--daemon', '-f']);
    child.stdout?.once('data', () => child.stdout?.pause());
    await until(() => child.stdout?.isPaused() === true);
    child.kill('SIGTERM');
    child.once('exit', () => child.stdout?.resume());
    expect(await end).toEqual([143, null]);
  });
});

test('a command that ends by a signal in time gives its own code', async () => {
  await sandbox(({ stream }) => ({ onControl: () => stream.close({ code: 7 }) }));
  const { child, end } = sbx(SLEEP);
  await listening(child);
  child.kill('SIGTERM');
  expect(await end).toEqual([7, null]);
});

test('a command that ran out of memory says so in one line', async () => {
  await sandbox(({ stream }) => {
    stream.close({ code: 137, signal: 'SIGKILL', outOfMemory: true });
    return {};
  });
  const { stderr, end } = sbx(['exec', 'shop', '--', 'build']);
  expect(await end).toEqual([137, null]);
  expect(stderr()).toMatch(/^sbx: out of memory: .*\n$/);
});

describe('on a terminal', () => {
  const typing = () => {
    const pty = spawn(SBX, ['exec', '-t', 'shop', '--', 'sh'], { env: env as Record<string, string>, cwd: dir });
    let shown = '';
    pty.onData((data) => {
      shown += data;
    });
    return {
      pty,
      shown: () => shown,
      end: new Promise<number>((done) => pty.onExit(({ exitCode }) => done(exitCode))),
    };
  };

  test('Ctrl-C ends the client of a guest that does not answer', async () => {
    await sandbox();
    const { pty, shown, end } = typing();
    pty.write('x');
    await until(() => heard > 0);
    pty.write('\x03');
    expect(await end).toBe(130);
    expect(shown()).toContain('the sandbox does not answer; disconnected');
  });

  test('Ctrl-C belongs to the command of a guest that answers', async () => {
    const keys: string[] = [];
    await sandbox(({ stream, service }) => {
      if (service === 'ping') stream.close({ ok: true });
      return {
        onData(_channel, data, taken) {
          keys.push(data.toString());
          taken();
          if (keys.join('') === 'x\x03\x03q') stream.close({ code: 5 });
        },
      };
    });
    const { pty, end } = typing();
    for (const key of ['x', '\x03', '\x03', 'q']) {
      pty.write(key);
      await until(() => keys.join('').endsWith(key));
    }
    expect(await end).toBe(5);
    expect(asked('ping').length).toBeGreaterThan(0);
  });
});
