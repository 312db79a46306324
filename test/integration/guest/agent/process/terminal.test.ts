import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { ask, outcomeOf, readUntil, runner, textOf, useAgent } from '../agent-rig.ts';

const MIB = 1024 ** 2;

const rig = useAgent();
const run = runner(rig);
const sh = (script: string, more = {}) => run(['sh', '-c', script], more);

describe('a terminal', () => {
  const tty = { cols: 101, rows: 33, term: 'xterm-256color' };

  test('has its size and kind, for all three streams', async () => {
    const found = await sh('stty size; echo $TERM; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo tty', { tty, stdin: true });
    expect(found).toMatchObject({ code: 0, stdout: '33 101\r\nxterm-256color\r\ntty\r\n', stderr: '' });
  });

  test('takes a new size', async () => {
    const child = rig.guest.exec(
      ask(['sh', '-c', 'trap "stty size; exit" WINCH; echo ready; while :; do sleep 0.05; done'], { tty, stdin: true }),
    );
    await readUntil(child.stdout, /ready\r\n/);
    child.resize(70, 20);
    expect(await outcomeOf(child)).toMatchObject({ code: 0, stdout: '20 70\r\n' });
  });

  test('invalid and late sizes are ignored', async () => {
    const child = rig.guest.exec(ask(['sh', '-c', 'read x; seq 1 300000'], { tty, stdin: true }));
    child.resize(0, -1);
    child.stdin.write('go\n');
    await sleep(500);
    for (let index = 1; index < 20; index += 1) child.resize(80 + index, 24);
    child.stdin.end();
    child.stdout.resume();
    expect(await child.exit).toMatchObject({ code: 0 });
    child.resize(90, 24);
    expect(await rig.guest.request('ping', {})).toEqual({ ok: true });
  });

  test('ctrl-c and ctrl-d are keys', async () => {
    const first = rig.guest.exec(ask(['sh', '-c', 'echo ready; exec sleep 1000'], { tty, stdin: true }));
    await readUntil(first.stdout, /ready\r\n/);
    first.stdin.write('\x03');
    expect(await first.exit).toEqual({ code: 130, signal: 'SIGINT' });
    // A command that is just ending may still see its terminal go: the pty library closes it at the last byte.
    const second = rig.guest.exec(ask(['sh', '-c', 'trap "" HUP; cat'], { tty, stdin: true }));
    second.stdin.write('typed\n');
    // Its echo, then what cat says.
    await readUntil(second.stdout, /typed\r\n[\s\S]*typed\r\n/);
    second.stdin.end();
    expect(await second.exit).toMatchObject({ code: 0 });
  });

  test('takes much input', async () => {
    const size = 2 * MIB;
    const child = rig.guest.exec(
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
