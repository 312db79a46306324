import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { GuestConnection } from '../../../lib/guest/client.ts';
import { encodeData, encodeJson, TYPE } from '../../../lib/guest/wire.ts';
import {
  type Agent,
  ask,
  groupGone,
  groupMembers,
  outcomeOf,
  readUntil,
  sharedPipe,
  startAgent,
  textOf,
} from './agent-rig.ts';

const MIB = 1024 ** 2;
const warnings: Error[] = [];
const onWarning = (warning: Error) => void warnings.push(warning);

let agent: Agent;
let guest: GuestConnection;

beforeAll(async () => {
  process.on('warning', onWarning);
  agent = await startAgent();
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
  process.off('warning', onWarning);
});
beforeEach(async () => {
  guest = await agent.connect();
});
afterEach(async () => {
  await guest[Symbol.asyncDispose]();
  expect(agent.complaints()).toBe('');
  expect(warnings).toEqual([]);
});

const run = (argv: string[], more = {}) => outcomeOf(guest.exec(ask(argv, more)));
const sh = (script: string, more = {}) => run(['sh', '-c', script], more);

describe('a command', () => {
  test('ping', async () => {
    expect(await guest.request('ping', {})).toEqual({ ok: true });
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
    expect(await guest.request('ping', {})).toEqual({ ok: true });
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

  test('126: it cannot be run, in a folder that is not there, or by nobody', async () => {
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
    const child = guest.exec(ask(['cat'], { stdin: true }));
    child.stdin.write('one ');
    child.stdin.end('two');
    expect(await outcomeOf(child)).toEqual({ code: 0, stdout: 'one two', stderr: '' });
  });

  test('stays open until then', async () => {
    const child = guest.exec(ask(['sh', '-c', 'read a; echo "got $a"; read b || echo end'], { stdin: true }));
    child.stdin.write('line\n');
    await readUntil(child.stdout, /got line\n/);
    child.stdin.end();
    expect(await textOf(child.stdout)).toBe('end\n');
  });

  test('without one the command reads nothing', async () => {
    expect(await run(['cat'])).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test('a command that does not read it ends all the same', async () => {
    const child = guest.exec(ask(['sh', '-c', 'exec <&-; sleep 0.1; echo done'], { stdin: true }));
    child.stdin.on('error', () => {});
    child.stdin.write(Buffer.alloc(4 * MIB));
    expect(await outcomeOf(child)).toMatchObject({ code: 0, stdout: 'done\n' });
  });
});

describe('signals', () => {
  test('reach the whole group', async () => {
    const child = guest.exec(ask(['sh', '-c', 'echo $$; sleep 1000 & sleep 1000']));
    const group = Number(await readUntil(child.stdout, /\d+\n/));
    child.kill('SIGTERM');
    expect(await child.exit).toEqual({ code: 143, signal: 'SIGTERM' });
    expect(await groupGone(group, 2_000)).toBe(true);
  });

  test('can be caught', async () => {
    const child = guest.exec(
      ask(['sh', '-c', 'trap "echo caught; exit 5" INT; echo ready; while :; do sleep 0.05; done']),
    );
    await readUntil(child.stdout, /ready\n/);
    child.kill('SIGINT');
    expect(await outcomeOf(child)).toMatchObject({ code: 5, stdout: 'caught\n' });
  });

  test('one that is unknown does nothing', async () => {
    const child = guest.exec(ask(['sh', '-c', 'echo ready; read x; echo still'], { stdin: true }));
    await readUntil(child.stdout, /ready\n/);
    child.kill('SIGNOTHING');
    child.kill('constructor');
    child.stdin.end('x\n');
    expect(await outcomeOf(child)).toMatchObject({ code: 0, stdout: 'still\n' });
  });
});

describe('a terminal', () => {
  const tty = { cols: 101, rows: 33, term: 'xterm-256color' };

  test('has its size and kind, for all three streams', async () => {
    const found = await sh('stty size; echo $TERM; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo tty', { tty, stdin: true });
    expect(found).toMatchObject({ code: 0, stdout: '33 101\r\nxterm-256color\r\ntty\r\n', stderr: '' });
  });

  test('takes a new size', async () => {
    const child = guest.exec(
      ask(['sh', '-c', 'trap "stty size; exit" WINCH; echo ready; while :; do sleep 0.05; done'], { tty, stdin: true }),
    );
    await readUntil(child.stdout, /ready\r\n/);
    child.resize(70, 20);
    expect(await outcomeOf(child)).toMatchObject({ code: 0, stdout: '20 70\r\n' });
  });

  test('a size that cannot be, and one that comes too late, harm nobody', async () => {
    const child = guest.exec(ask(['sh', '-c', 'read x; seq 1 300000'], { tty, stdin: true }));
    child.resize(0, -1);
    child.stdin.write('go\n');
    await sleep(500);
    for (let index = 1; index < 20; index += 1) child.resize(80 + index, 24);
    child.stdin.end();
    child.stdout.resume();
    expect(await child.exit).toMatchObject({ code: 0 });
    child.resize(90, 24);
    expect(await guest.request('ping', {})).toEqual({ ok: true });
  });

  test('ctrl-c and ctrl-d are keys', async () => {
    const first = guest.exec(ask(['sh', '-c', 'echo ready; exec sleep 1000'], { tty, stdin: true }));
    await readUntil(first.stdout, /ready\r\n/);
    first.stdin.write('\x03');
    expect(await first.exit).toEqual({ code: 130, signal: 'SIGINT' });
    // A command that is just ending may still see its terminal go: the pty library closes it at the last byte.
    const second = guest.exec(ask(['sh', '-c', 'trap "" HUP; cat'], { tty, stdin: true }));
    second.stdin.write('typed\n');
    // Its echo, then what cat says.
    await readUntil(second.stdout, /typed\r\n[\s\S]*typed\r\n/);
    second.stdin.end();
    expect(await second.exit).toMatchObject({ code: 0 });
  });

  test('takes much input', async () => {
    const size = 2 * MIB;
    const child = guest.exec(
      ask(['sh', '-c', `stty raw -echo; echo ready; head -c ${size} | sha256sum`], { tty, stdin: true }),
    );
    await readUntil(child.stdout, /ready/);
    const data = randomBytes(size);
    child.stdin.write(data);
    expect((await textOf(child.stdout)).trim()).toContain(createHash('sha256').update(data).digest('hex'));
  });

  test('127 and 126 as without', async () => {
    expect(await run(['no-such-command-here'], { tty })).toMatchObject({ code: 127 });
    expect(await run(['true'], { tty, cwd: '/no/such/folder' })).toMatchObject({ code: 126 });
  });
});

describe('much at once', () => {
  test('50 commands', async () => {
    const found = await Promise.all(
      Array.from({ length: 50 }, (_, index) => {
        const child = guest.exec(ask(['sh', '-c', `cat; echo err${index} >&2; exit ${index}`], { stdin: true }));
        child.stdin.end(`in${index} `.repeat(20_000));
        return outcomeOf(child);
      }),
    );
    found.forEach((outcome, index) => {
      expect(outcome.code).toBe(index);
      expect(outcome.stderr).toBe(`err${index}\n`);
      expect(outcome.stdout === `in${index} `.repeat(20_000)).toBe(true);
    });
  });

  test('256 MiB each way, byte for byte', async () => {
    const child = guest.exec(ask(['cat'], { stdin: true }));
    const sent = createHash('sha256');
    const got = createHash('sha256');
    const block = randomBytes(MIB);
    const writing = (async () => {
      for (let index = 0; index < 256; index += 1) {
        const chunk = Buffer.from(block);
        chunk.writeUInt32BE(index, (index * 4096) % MIB);
        sent.update(chunk);
        if (!child.stdin.write(chunk)) await new Promise((resolve) => child.stdin.once('drain', resolve));
      }
      child.stdin.end();
    })();
    let bytes = 0;
    for await (const chunk of child.stdout) {
      got.update(chunk as Buffer);
      bytes += (chunk as Buffer).length;
    }
    await writing;
    expect(await child.exit).toEqual({ code: 0 });
    expect(bytes).toBe(256 * MIB);
    expect(got.digest('hex')).toBe(sent.digest('hex'));
  });

  test('a reader who is slow holds up its own command only', async () => {
    const slow = guest.exec(ask(['head', '-c', String(32 * MIB), '/dev/zero']));
    await sleep(200);
    expect(await run(['echo', 'quick'])).toMatchObject({ code: 0, stdout: 'quick\n' });
    let bytes = 0;
    for await (const chunk of slow.stdout) bytes += (chunk as Buffer).length;
    expect(bytes).toBe(32 * MIB);
    expect(await slow.exit).toEqual({ code: 0 });
  });
});

describe('a client that goes away', () => {
  // Deaf to everything that can be ignored.
  const STUBBORN = 'trap "" HUP TERM INT; echo $$; sh -c "sleep 1000" & (sleep 1000) & while :; do sleep 1; done';

  test('takes its whole process group along', async () => {
    const other = await agent.connect();
    const child = other.exec(ask(['sh', '-c', STUBBORN]));
    child.exit.catch(() => {});
    const group = Number(await readUntil(child.stdout, /\d+\n/));
    await sleep(100);
    expect(groupMembers(group).length).toBeGreaterThan(2);
    await other[Symbol.asyncDispose]();
    await expect(child.exit).rejects.toMatchObject({ code: 'guest-protocol' });
    expect(await groupGone(group, 5_000)).toBe(true);
  });

  test('the same with a terminal', async () => {
    const other = await agent.connect();
    const tty = { cols: 80, rows: 24, term: 'xterm' };
    const child = other.exec(ask(['sh', '-c', STUBBORN], { tty, stdin: true }));
    child.exit.catch(() => {});
    const group = Number(await readUntil(child.stdout, /\d+\r\n/));
    await other[Symbol.asyncDispose]();
    expect(await groupGone(group, 5_000)).toBe(true);
  });

  test('disposing one command leaves the others', async () => {
    const child = guest.exec(ask(['sh', '-c', STUBBORN]));
    const kept = guest.exec(ask(['sh', '-c', 'read x; echo "kept $x"'], { stdin: true }));
    const group = Number(await readUntil(child.stdout, /\d+\n/));
    await child[Symbol.asyncDispose]();
    expect(await groupGone(group, 5_000)).toBe(true);
    kept.stdin.end('on\n');
    expect(await outcomeOf(kept)).toMatchObject({ code: 0, stdout: 'kept on\n' });
  });
});

describe('sessions after one another on the same pipe', () => {
  const limit = () => ({ signal: AbortSignal.timeout(20_000) });

  const frames = {
    data: encodeData(1, 0, Buffer.alloc(1000, 'x')),
    open: encodeJson(TYPE.open, 2, { service: 'exec', body: ask(['sleep', '1000']) }),
    control: encodeJson(TYPE.control, 1, { signal: 'SIGUSR1' }),
    'long open': encodeJson(TYPE.open, 2, { service: 'exec', body: ask(['echo', 'x'.repeat(70_000)]) }),
  };
  const cases = Object.keys(frames).flatMap((kind) =>
    [1, 5, 9, 10, 25, 500, 40_000].map((left) => ({ kind: kind as keyof typeof frames, left })),
  );

  test.each(cases.filter(({ kind, left }) => left < frames[kind].length))(
    'with $left bytes of a frame ($kind) left between',
    async ({ kind, left }) => {
      const pipe = await sharedPipe(agent.socket);
      try {
        const firstEnd = pipe.client();
        const first = await GuestConnection.connect(firstEnd, limit());
        const child = first.exec(ask(['sh', '-c', 'echo $$; exec sleep 1000'], { stdin: true }));
        child.exit.catch(() => {});
        const group = Number(await readUntil(child.stdout, /\d+\n/));
        firstEnd.write(frames[kind].subarray(0, left));
        await first[Symbol.asyncDispose]();
        await using second = await GuestConnection.connect(pipe.client(), limit());
        expect(await outcomeOf(second.exec(ask(['echo', 'again'])))).toMatchObject({ code: 0, stdout: 'again\n' });
        // The first session's command is not the second's.
        expect(await groupGone(group, 5_000)).toBe(true);
      } finally {
        pipe.close();
      }
    },
  );

  test('while the first one was pouring out data', async () => {
    const pipe = await sharedPipe(agent.socket);
    try {
      const first = await GuestConnection.connect(pipe.client(), limit());
      const flood = first.exec(ask(['cat', '/dev/zero']));
      flood.exit.catch(() => {});
      await readUntil(flood.stdout, /./s);
      await first[Symbol.asyncDispose]();
      await using second = await GuestConnection.connect(pipe.client(), limit());
      expect(await outcomeOf(second.exec(ask(['echo', 'again'])))).toMatchObject({ code: 0, stdout: 'again\n' });
    } finally {
      pipe.close();
    }
  });
});

describe('what the agent refuses', () => {
  test('an unknown service', async () => {
    await expect(guest.request('no-such-service' as 'ping', {})).rejects.toMatchObject({ code: 'guest-protocol' });
    expect(await guest.request('ping', {})).toEqual({ ok: true });
  });
});
