import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { GuestConnection } from '../../../lib/guest/client.ts';
import type { SessionInfo, SessionRequest } from '../../../lib/guest/services.ts';
import { openSession, readSession, type SessionClient, startDetached } from '../../../lib/guest/session-client.ts';
import { type Agent, ask, groupGone, groupMembers, outcomeOf, readUntil, startAgent, textOf } from './agent-rig.ts';

const MIB = 1024 ** 2;
const TTY = { cols: 80, rows: 24, term: 'xterm-256color' };

let dir: string;
let agent: Agent;
let guest: GuestConnection;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-sessions-'));
  agent = await startAgent({ records: join(dir, 'records') });
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(async () => {
  guest = await agent.connect();
});
afterEach(async () => {
  await guest.request('session-end', {});
  await guest[Symbol.asyncDispose]();
  expect(agent.complaints()).toBe('');
});

const terminal = (script: string, more: Partial<SessionRequest> = {}): SessionRequest => ({
  ...ask(['sh', '-c', script]),
  stdin: true,
  tty: TTY,
  client: 'viewer',
  join: true,
  ...more,
});
const owned = (script: string, more: Partial<SessionRequest> = {}): SessionRequest => ({
  ...ask(['sh', '-c', script]),
  client: 'owner',
  join: false,
  ...more,
});
const sessions = async (): Promise<SessionInfo[]> => (await guest.request('sessions', {})).sessions;
const running = async () =>
  (await sessions()).filter(({ endedAt, lost }) => endedAt === undefined && lost === undefined);
const until = async (look: () => Promise<boolean>) => {
  while (!(await look())) await sleep(20);
};
/** A joined terminal answers with its number: what `echo $$` of the session says. */
const numberOf = async (session: SessionClient) => Number(/\d+/.exec(await readUntil(session.stdout, /\d+\r\n/))?.[0]);

describe('a session on a terminal', () => {
  test('goes on when its client leaves, and shows the next one what was said', async () => {
    const first = openSession(guest, terminal('echo $$; read a; echo "got $a"; read b; exit 5'));
    expect(await first.opened).toMatchObject({ joined: false, replay: 0 });
    const group = await numberOf(first);
    first.leave();
    await until(async () => (await sessions()).at(-1)?.clients === 0);
    expect(groupMembers(group)).toEqual([group]);
    const second = openSession(guest, terminal('echo another'));
    expect(await second.opened).toMatchObject({ joined: true, id: (await first.opened).id });
    expect(await readUntil(second.stdout, /\d+\r\n/)).toContain(String(group));
    second.stdin.write('hello\n');
    await readUntil(second.stdout, /got hello\r\n/);
    second.stdin.write('end\n');
    expect(await second.exit).toEqual({ code: 5 });
  });

  test('outlives the whole connection, without which nobody could look', async () => {
    const other = await agent.connect();
    const first = openSession(other, terminal('echo $$; while :; do sleep 0.1; done'));
    first.exit.catch(() => {});
    const group = await numberOf(first);
    await other[Symbol.asyncDispose]();
    await sleep(3_000);
    expect(groupMembers(group)).toContain(group);
    const second = openSession(guest, terminal(''));
    expect(await second.opened).toMatchObject({ joined: true });
    second.exit.catch(() => {});
    expect(await numberOf(second)).toBe(group);
    second.stdin.write('\x03');
    expect(await second.exit).toEqual({ code: 130, signal: 'SIGINT' });
  });

  test('two clients see the same, and both may type', async () => {
    const first = openSession(guest, terminal('read a; echo "<$a>"; read b; echo "<$b>"'));
    await first.opened;
    const other = await agent.connect();
    const second = openSession(other, terminal(''));
    expect((await second.opened).joined).toBe(true);
    first.stdin.write('one\n');
    await Promise.all([readUntil(first.stdout, /<one>\r\n/), readUntil(second.stdout, /<one>\r\n/)]);
    second.stdin.write('two\n');
    await Promise.all([readUntil(first.stdout, /<two>\r\n/), readUntil(second.stdout, /<two>\r\n/)]);
    expect(await Promise.all([first.exit, second.exit])).toEqual([{ code: 0 }, { code: 0 }]);
    await other[Symbol.asyncDispose]();
  });

  test('has the size of whoever came, or changed it, last; who joins makes it repaint', async () => {
    const script = 'trap "stty size" WINCH; echo ready; while :; do sleep 0.05; done';
    const first = openSession(guest, terminal(script));
    await readUntil(first.stdout, /ready\r\n/);
    first.resize(100, 30);
    await readUntil(first.stdout, /30 100\r\n/);
    // The same size again is no change for the kernel: the program hears of it all the same.
    const second = openSession(guest, terminal('', { tty: { ...TTY, cols: 100, rows: 30 } }));
    await second.opened;
    await readUntil(first.stdout, /29 100\r\n[\s\S]*30 100\r\n/);
    const third = openSession(guest, terminal('', { tty: { ...TTY, cols: 70, rows: 20 } }));
    await third.opened;
    await readUntil(first.stdout, /20 70\r\n/);
  });

  test('is refused while another one has the terminal, and says so', async () => {
    const first = openSession(guest, terminal('echo ready; read x'));
    await readUntil(first.stdout, /ready/);
    const second = openSession(guest, terminal('echo never', { join: false }));
    await expect(second.opened).rejects.toMatchObject({ code: 'busy', hint: expect.stringContaining('sbx run') });
    expect((await running()).length).toBe(1);
  });

  test('127 and 126, as a command', async () => {
    const session = openSession(guest, { ...terminal(''), ...ask(['no-such-command-here']), tty: TTY });
    expect(await session.exit).toEqual({ code: 127 });
    expect(await textOf(session.stderr)).toContain('no-such-command-here');
    expect(await running()).toEqual([]);
  });

  test('a flood that nobody sees does not stop it, and is not kept in full', async () => {
    const session = openSession(
      guest,
      terminal(`head -c ${64 * MIB} /dev/zero | tr '\\0' x; echo; echo the end; read x`),
    );
    const { id } = await session.opened;
    session.leave();
    const reader = readSession(guest, { id, follow: true });
    await readUntil(reader.output, /the end\r\n/);
    const again = openSession(guest, terminal(''));
    const { joined, replay } = await again.opened;
    expect(joined).toBe(true);
    expect(replay).toBeLessThanOrEqual(MIB + 1024);
    await readUntil(again.stdout, /the end\r\n/);
  });

  test('a client that does not read misses the oldest, stops nobody, and ends at the end', async () => {
    const slow = openSession(
      guest,
      terminal(`read x; head -c ${32 * MIB} /dev/zero | tr '\\0' x; echo; echo over; read y; echo last; read z`),
    );
    const { id } = await slow.opened;
    slow.stdout.pause();
    const other = await agent.connect();
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
    expect((await sessions()).find((one) => one.id === id)).toMatchObject({ code: 0 });
    await other[Symbol.asyncDispose]();
  });

  test('who joins late gets the modes of the terminal, although their beginning is gone', async () => {
    const script = `printf '\\033[?1049h\\033[?2004h'; i=0; while [ $i -lt 40000 ]; do echo "line $i of many lines, to fill it up"; i=$((i+1)); done; echo ready; read x`;
    const first = openSession(guest, terminal(script));
    await readUntil(first.stdout, /ready\r\n/);
    first.leave();
    const second = openSession(guest, terminal(''));
    const text = await readUntil(second.stdout, /ready\r\n/);
    expect(text.startsWith('\x1b[0m\x1b[?1049h\x1b[?2004hline ')).toBe(true);
    expect(text.length).toBe((await second.opened).replay);
  });

  test('ends when told, with all that it started, however deaf', async () => {
    const session = openSession(
      guest,
      terminal('trap "" HUP TERM INT; echo $$; sh -c "sleep 1000" & while :; do sleep 1; done'),
    );
    const group = await numberOf(session);
    const { sessions: ended } = await guest.request('session-end', {});
    expect(ended).toMatchObject([{ terminal: true, code: 137, signal: 'SIGKILL' }]);
    expect(await groupGone(group, 5_000)).toBe(true);
    expect(await session.exit).toEqual({ code: 137, signal: 'SIGKILL' });
  });
});

describe('a session without a terminal', () => {
  test('streams, exit code and input are those of a command', async () => {
    const child = openSession(guest, owned('cat; echo err >&2; exit 42', { stdin: true }));
    child.stdin.end('in');
    expect(await outcomeOf(child)).toEqual({ code: 42, stdout: 'in', stderr: 'err\n' });
    expect((await sessions()).at(-1)).toMatchObject({ terminal: false, code: 42, clients: 0 });
  });

  test('64 MiB arrive whole, whoever reads slowly', async () => {
    const size = 64 * MIB;
    const file = join(dir, 'bulk');
    const data = randomBytes(size);
    writeFileSync(file, data);
    const child = openSession(guest, { ...owned(''), ...ask(['cat', file]) });
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of child.stdout) {
      hash.update(chunk as Buffer);
      bytes += (chunk as Buffer).length;
      if (bytes % 97 === 0) await sleep(1);
    }
    expect(await child.exit).toEqual({ code: 0 });
    expect([bytes, hash.digest('hex')]).toEqual([size, createHash('sha256').update(data).digest('hex')]);
  });

  test('its client has gone: it ends, with all that it started', async () => {
    const other = await agent.connect();
    const child = openSession(other, owned('trap "" HUP TERM INT; echo $$; sleep 1000 & while :; do sleep 1; done'));
    child.exit.catch(() => {});
    const group = Number(await readUntil(child.stdout, /\d+\n/));
    await other[Symbol.asyncDispose]();
    expect(await groupGone(group, 5_000)).toBe(true);
    await until(async () => (await running()).length === 0);
  });

  test('several at once, beside the one with the terminal', async () => {
    const withTerminal = openSession(guest, terminal('echo ready; read x'));
    await readUntil(withTerminal.stdout, /ready/);
    const found = await Promise.all(
      [1, 2, 3].map((code) => outcomeOf(openSession(guest, owned(`echo ${code}; exit ${code}`)))),
    );
    expect(found.map(({ code, stdout }) => [code, stdout])).toEqual([
      [1, '1\n'],
      [2, '2\n'],
      [3, '3\n'],
    ]);
    expect((await running()).length).toBe(1);
  });

  test('detached it runs by itself; its record is read meanwhile and afterwards', async () => {
    const request = { ...owned('echo out; echo err >&2; sleep 0.3; echo done; exit 3') };
    const info = await startDetached(guest, request);
    expect(info).toMatchObject({ terminal: false, clients: 0 });
    const followed = readSession(guest, { id: info.id, follow: true });
    const text = await textOf(followed.output);
    expect(text.split('\n').toSorted()).toEqual(['', 'done', 'err', 'out']);
    expect(await followed.ended).toMatchObject({ id: info.id, code: 3 });
    expect(await textOf(readSession(guest, { follow: false }).output)).toBe(text);
    await expect(startDetached(guest, { ...request, argv: ['no-such-command-here'] })).rejects.toMatchObject({
      code: 'guest-failed',
      message: expect.stringContaining('no-such-command-here'),
    });
  });
});

describe('the records', () => {
  test('are few, and bounded on disk', async () => {
    for (let index = 0; index < 12; index += 1) await outcomeOf(openSession(guest, owned(`echo ${index}`)));
    const kept = await sessions();
    expect(kept.length).toBe(8);
    const names = readdirSync(join(dir, 'records'));
    expect(names.length).toBeLessThanOrEqual(8 * 3);
    expect(await textOf(readSession(guest, { id: kept[0]?.id ?? 0, follow: false }).output)).toMatch(/^\d\n$/);
    await expect(readSession(guest, { id: 1, follow: false }).ended).rejects.toMatchObject({ code: 'not-found' });
  });

  test('outlive the agent: an ended session with its code, one that ran as lost', async () => {
    const records = join(dir, 'others');
    const before = await startAgent({ records });
    const first = await before.connect();
    await outcomeOf(openSession(first, owned('echo kept; exit 9')));
    const lost = openSession(first, terminal('echo $$; read x'));
    lost.exit.catch(() => {});
    const group = await numberOf(lost);
    await first[Symbol.asyncDispose]();
    await before[Symbol.asyncDispose]();
    // Its terminal has gone with the agent.
    expect(await groupGone(group, 5_000)).toBe(true);
    await using after = await startAgent({ records });
    await using second = await after.connect();
    const { sessions: found } = await second.request('sessions', {});
    expect(found).toMatchObject([
      { id: 1, code: 9 },
      { id: 2, lost: true, terminal: true },
    ]);
    expect(await textOf(readSession(second, { id: 1, follow: false }).output)).toBe('kept\n');
    expect(await textOf(readSession(second, { follow: true }).output)).toBe(`${group}\r\n`);
    await outcomeOf(openSession(second, owned('true')));
    expect((await second.request('sessions', {})).sessions.map(({ id }) => id)).toEqual([1, 2, 3]);
  });

  test('a folder that cannot be written costs the copy there only', async () => {
    writeFileSync(join(dir, 'file'), '');
    await using other = await startAgent({ records: join(dir, 'file', 'below') });
    await using connection = await other.connect();
    expect(await outcomeOf(openSession(connection, owned('echo fine')))).toMatchObject({ code: 0, stdout: 'fine\n' });
    expect(await textOf(readSession(connection, { follow: false }).output)).toBe('fine\n');
  });

  test('nothing of them is left before a snapshot', async () => {
    const records = join(dir, 'snapshot');
    await using other = await startAgent({ records });
    await using connection = await other.connect();
    await outcomeOf(openSession(connection, owned('echo secret')));
    const session = openSession(connection, terminal('echo $$; read x'));
    session.exit.catch(() => {});
    const group = await numberOf(session);
    // What follows is done in a virtual machine only.
    await expect(connection.request('prepare-snapshot', {})).rejects.toMatchObject({
      message: expect.stringContaining('system calls'),
    });
    expect(await groupGone(group, 5_000)).toBe(true);
    expect((await connection.request('sessions', {})).sessions).toEqual([]);
    expect(readdirSync(records)).toEqual([]);
  });
});
