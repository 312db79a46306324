import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { openSession, readSession } from '../../../../../lib/guest/client/session-client.ts';
import { ask, groupGone, groupMembers, readUntil, textOf } from '../agent-rig.ts';
import { numberOf, TTY, terminal, until, useSessions } from './rig.ts';

const MIB = 1024 ** 2;

const rig = useSessions();

describe('a session on a terminal', () => {
  test('continues when its client leaves, and replays the output to the next one', async () => {
    const first = openSession(rig.guest, terminal('echo $$; read a; echo "got $a"; read b; exit 5'));
    expect(await first.opened).toMatchObject({ joined: false, replay: 0 });
    const group = await numberOf(first);
    first.leave();
    await until(async () => (await rig.sessions()).at(-1)?.clients === 0);
    expect(groupMembers(group)).toEqual([group]);
    const second = openSession(rig.guest, terminal('echo another'));
    expect(await second.opened).toMatchObject({ joined: true, id: (await first.opened).id });
    expect(await readUntil(second.stdout, /\d+\r\n/)).toContain(String(group));
    second.stdin.write('hello\n');
    await readUntil(second.stdout, /got hello\r\n/);
    second.stdin.write('end\n');
    expect(await second.exit).toEqual({ code: 5 });
  });

  test('outlives the connection', async () => {
    const other = await rig.agent.connect();
    const first = openSession(other, terminal('echo $$; while :; do sleep 0.1; done'));
    first.exit.catch(() => {});
    const group = await numberOf(first);
    await other[Symbol.asyncDispose]();
    await sleep(3_000);
    expect(groupMembers(group)).toContain(group);
    const second = openSession(rig.guest, terminal(''));
    expect(await second.opened).toMatchObject({ joined: true });
    second.exit.catch(() => {});
    expect(await numberOf(second)).toBe(group);
    second.stdin.write('\x03');
    expect(await second.exit).toEqual({ code: 130, signal: 'SIGINT' });
  });

  test('two clients see the same, and both may type', async () => {
    const first = openSession(rig.guest, terminal('read a; echo "<$a>"; read b; echo "<$b>"'));
    await first.opened;
    const other = await rig.agent.connect();
    const second = openSession(other, terminal(''));
    expect((await second.opened).joined).toBe(true);
    first.stdin.write('one\n');
    await Promise.all([readUntil(first.stdout, /<one>\r\n/), readUntil(second.stdout, /<one>\r\n/)]);
    second.stdin.write('two\n');
    await Promise.all([readUntil(first.stdout, /<two>\r\n/), readUntil(second.stdout, /<two>\r\n/)]);
    expect(await Promise.all([first.exit, second.exit])).toEqual([{ code: 0 }, { code: 0 }]);
    await other[Symbol.asyncDispose]();
  });

  test('has the size of the client that joined or resized last; joining makes it repaint', async () => {
    const script = 'trap "stty size" WINCH; echo ready; while :; do sleep 0.05; done';
    const first = openSession(rig.guest, terminal(script));
    await readUntil(first.stdout, /ready\r\n/);
    first.resize(100, 30);
    await readUntil(first.stdout, /30 100\r\n/);
    // The same size again is no change for the kernel: the program hears of it all the same.
    const second = openSession(rig.guest, terminal('', { tty: { ...TTY, cols: 100, rows: 30 } }));
    await second.opened;
    await readUntil(first.stdout, /29 100\r\n[\s\S]*30 100\r\n/);
    const third = openSession(rig.guest, terminal('', { tty: { ...TTY, cols: 70, rows: 20 } }));
    await third.opened;
    await readUntil(first.stdout, /20 70\r\n/);
  });

  test('is refused while another one has the terminal, and says so', async () => {
    const first = openSession(rig.guest, terminal('echo ready; read x'));
    await readUntil(first.stdout, /ready/);
    const second = openSession(rig.guest, terminal('echo never', { join: false }));
    await expect(second.opened).rejects.toMatchObject({ code: 'busy', hint: expect.stringContaining('sbx run') });
    expect((await rig.running()).length).toBe(1);
  });

  test('127 and 126, as a command', async () => {
    const session = openSession(rig.guest, { ...terminal(''), ...ask(['no-such-command-here']), tty: TTY });
    expect(await session.exit).toEqual({ code: 127 });
    expect(await textOf(session.stderr)).toContain('no-such-command-here');
    expect(await rig.running()).toEqual([]);
  });

  test('a flood without a client does not stop it, and is not kept in full', async () => {
    const session = openSession(
      rig.guest,
      terminal(`head -c ${64 * MIB} /dev/zero | tr '\\0' x; echo; echo the end; read x`),
    );
    const { id } = await session.opened;
    session.leave();
    const reader = readSession(rig.guest, { id, follow: true });
    await readUntil(reader.output, /the end\r\n/);
    const again = openSession(rig.guest, terminal(''));
    const { joined, replay } = await again.opened;
    expect(joined).toBe(true);
    expect(replay).toBeLessThanOrEqual(MIB + 1024);
    await readUntil(again.stdout, /the end\r\n/);
  });

  test('a client that does not read misses the oldest output, blocks no other, and ends with the session', async () => {
    const slow = openSession(
      rig.guest,
      terminal(`read x; head -c ${32 * MIB} /dev/zero | tr '\\0' x; echo; echo over; read y; echo last; read z`),
    );
    const { id } = await slow.opened;
    slow.stdout.pause();
    const other = await rig.agent.connect();
    const quick = openSession(other, terminal(''));
    await quick.opened;
    quick.stdin.write('\n');
    await readUntil(quick.stdout, /over\r\n/);
    quick.stdin.write('\n');
    await readUntil(quick.stdout, /last\r\n/);
    quick.stdin.write('\n');
    const seen = await textOf(slow.stdout);
    expect(seen.length).toBeLessThan(8 * MIB);
    expect(seen).toContain('over\r\n');
    expect(seen.slice(-100)).toContain('last\r\n');
    expect(await slow.exit).toEqual({ code: 0 });
    expect((await rig.sessions()).find((one) => one.id === id)).toMatchObject({ code: 0 });
    await other[Symbol.asyncDispose]();
  });

  test('a client that joins late gets the terminal modes, although their beginning is no longer kept', async () => {
    const script = `printf '\\033[?1049h\\033[?2004h'; i=0; while [ $i -lt 40000 ]; do echo "line $i of many lines, to fill it up"; i=$((i+1)); done; echo ready; read x`;
    const first = openSession(rig.guest, terminal(script));
    await readUntil(first.stdout, /ready\r\n/);
    first.leave();
    const second = openSession(rig.guest, terminal(''));
    const text = await readUntil(second.stdout, /ready\r\n/);
    expect(text.startsWith('\x1b[0m\x1b[?1049h\x1b[?2004hline ')).toBe(true);
    expect(text.length).toBe((await second.opened).replay);
  });

  test('ends on request, with all processes that it started, also those that ignore signals', async () => {
    const session = openSession(
      rig.guest,
      terminal('trap "" HUP TERM INT; echo $$; sh -c "sleep 1000" & while :; do sleep 1; done'),
    );
    const group = await numberOf(session);
    const { sessions: ended } = await rig.guest.request('session-end', {});
    expect(ended).toMatchObject([{ terminal: true, code: 137, signal: 'SIGKILL' }]);
    expect(await groupGone(group, 5_000)).toBe(true);
    expect(await session.exit).toEqual({ code: 137, signal: 'SIGKILL' });
  });
});
