import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GuestConnection, type GuestProcess } from '../../../lib/guest/client.ts';
import type { ExecRequest } from '../../../lib/guest/services.ts';
import { encodeJson, hello, TYPE } from '../../../lib/guest/wire.ts';

describe('the agent, as a process of this host', () => {
  let dir: string;
  let socket: string;
  let agent: ChildProcess;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'sbx-agent-'));
    socket = join(dir, 's');
    await build({
      entryPoints: ['lib/guest/agent/main.ts'],
      bundle: true,
      platform: 'node',
      format: 'cjs',
      outfile: join(dir, 'agent.cjs'),
      external: ['@lydell/node-pty'],
      logLevel: 'error',
    });
    agent = spawn(process.execPath, [join(dir, 'agent.cjs'), '--socket', socket], {
      stdio: 'inherit',
      env: { ...process.env, SBX_PTY_MODULE: resolve('node_modules/@lydell/node-pty') },
    });
  });
  afterAll(() => {
    agent.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  });

  const open = () => GuestConnection.connect(socket, { fresh: true, signal: AbortSignal.timeout(20_000) });
  const ask = (argv: string[], more: Partial<ExecRequest> = {}): ExecRequest => ({
    argv,
    cwd: dir,
    user: String(userInfo().uid),
    stdin: false,
    ...more,
  });
  const textOf = async (stream: NodeJS.ReadableStream) => {
    let text = '';
    for await (const chunk of stream) text += String(chunk);
    return text;
  };
  const finish = async (child: GuestProcess) => {
    const [stdout, stderr, exit] = await Promise.all([textOf(child.stdout), textOf(child.stderr), child.exit]);
    return { stdout, stderr, ...exit };
  };

  test('streams and exit codes', async () => {
    await using guest = await open();
    expect(await finish(guest.exec(ask(['sh', '-c', 'echo out; echo err >&2; exit 3'])))).toEqual({
      stdout: 'out\n',
      stderr: 'err\n',
      code: 3,
    });
    expect((await finish(guest.exec(ask(['no-such-program'])))).code).toBe(127);
    expect((await finish(guest.exec(ask([dir])))).code).toBe(127);
    expect((await finish(guest.exec(ask(['/etc/passwd'])))).code).toBe(126);
    expect((await finish(guest.exec(ask(['true'], { cwd: '/no/such/folder' })))).code).toBe(126);
    expect(await finish(guest.exec(ask(['sh', '-c', 'kill -KILL $$'])))).toMatchObject({
      code: 137,
      signal: 'SIGKILL',
    });
    expect((await finish(guest.exec(ask(['true'], { user: 'nobody-of-that-name' })))).code).toBe(126);
  });

  test('stdin to its end, signals to the group', async () => {
    await using guest = await open();
    const cat = guest.exec(ask(['cat'], { stdin: true }));
    cat.stdin.end('to and fro');
    expect(await finish(cat)).toMatchObject({ stdout: 'to and fro', code: 0 });
    const waiting = guest.exec(ask(['sh', '-c', 'trap "echo caught; exit 5" INT; echo ready; sleep 60 & wait']));
    waiting.stdout.once('data', () => waiting.kill('SIGINT'));
    expect(await finish(waiting)).toMatchObject({ code: 5 });
  });

  test('a background process that keeps the output open does not hold the command', async () => {
    await using guest = await open();
    expect(await finish(guest.exec(ask(['sh', '-c', 'sleep 30 & echo done'])))).toMatchObject({
      stdout: 'done\n',
      code: 0,
    });
  });

  test('a terminal has a size that changes', async () => {
    await using guest = await open();
    const child = guest.exec(
      ask(['sh', '-c', 'stty size; read x; stty size'], { stdin: true, tty: { cols: 100, rows: 30, term: 'xterm' } }),
    );
    let seen = '';
    child.stdout.on('data', (data) => {
      seen += String(data);
    });
    while (!seen.includes('30 100')) await sleep(10);
    child.resize(120, 40);
    await sleep(50);
    child.stdin.write('\n');
    expect((await child.exit).code).toBe(0);
    expect(seen).toContain('40 120');
  });

  test('fifty at once', async () => {
    await using guest = await open();
    const all = await Promise.all(
      Array.from({ length: 50 }, (_, index) => finish(guest.exec(ask(['sh', '-c', `echo ${index}; exit ${index}`])))),
    );
    expect(all.map(({ stdout, code }) => [stdout, code])).toEqual(
      Array.from({ length: 50 }, (_, index) => [`${index}\n`, index]),
    );
  });

  test('128 MiB each way arrive as they were sent', async () => {
    await using guest = await open();
    const block = randomBytes(1024 * 1024);
    const sent = createHash('sha256');
    const child = guest.exec(ask(['sha256sum'], { stdin: true }));
    const answer = finish(child);
    for (let count = 0; count < 128; count += 1) {
      sent.update(block);
      await new Promise((done) => child.stdin.write(block, done));
    }
    child.stdin.end();
    expect((await answer).stdout.split(' ')[0]).toBe(sent.digest('hex'));
    const back = guest.exec(ask(['sh', '-c', 'head -c 134217728 /dev/zero']));
    const got = createHash('sha256');
    back.stderr.resume();
    for await (const chunk of back.stdout) got.update(chunk as Buffer);
    expect(got.digest('hex')).toBe(createHash('sha256').update(Buffer.alloc(134_217_728)).digest('hex'));
  });

  test('a client that goes away has its whole process group ended', async () => {
    const guest = await open();
    const child = guest.exec(ask(['sh', '-c', 'sleep 1000 & echo $! $$; wait']));
    const line = await new Promise<string>((done) => child.stdout.once('data', (data) => done(String(data))));
    child.exit.catch(() => {});
    await guest[Symbol.asyncDispose]();
    const alive = (pid: number) => {
      try {
        process.kill(pid, 0);
        return true;
      } catch {
        return false;
      }
    };
    for (const pid of line.trim().split(' ').map(Number)) while (alive(pid)) await sleep(20);
    expect(line.trim().split(' ')).toHaveLength(2);
  });

  test('a half-sent frame of a dead client does not disturb the next', async () => {
    const dead = connect(socket);
    await new Promise((done) => dead.once('connect', done));
    const whole = Buffer.concat([hello(randomBytes(16)), encodeJson(TYPE.open, 1, { service: 'ping', body: {} })]);
    dead.write(whole.subarray(0, whole.length - 4));
    dead.destroy();
    await using guest = await GuestConnection.connect(socket, { fresh: false, signal: AbortSignal.timeout(20_000) });
    expect(await guest.request('ping', {})).toEqual({ ok: true });
  });
});
