import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { openSession, readSession, startDetached } from '../../../../../lib/guest/client/session-client.ts';
import { ask, groupGone, outcomeOf, readUntil, textOf } from '../agent-rig.ts';
import { owned, terminal, until, useSessions } from './rig.ts';

const MIB = 1024 ** 2;

const rig = useSessions();

describe('a session without a terminal', () => {
  test('streams, exit code and input are those of a command', async () => {
    const child = openSession(rig.guest, owned('cat; echo err >&2; exit 42', { stdin: true }));
    child.stdin.end('in');
    expect(await outcomeOf(child)).toEqual({ code: 42, stdout: 'in', stderr: 'err\n' });
    expect((await rig.sessions()).at(-1)).toMatchObject({ terminal: false, code: 42, clients: 0 });
  });

  test('64 MiB arrive complete at a slow reader', async () => {
    const size = 64 * MIB;
    const file = join(rig.dir, 'bulk');
    const data = randomBytes(size);
    writeFileSync(file, data);
    const child = openSession(rig.guest, { ...owned(''), ...ask(['cat', file]) });
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

  test('ends with its client, with all processes that it started', async () => {
    const other = await rig.agent.connect();
    const child = openSession(other, owned('trap "" HUP TERM INT; echo $$; sleep 1000 & while :; do sleep 1; done'));
    child.exit.catch(() => {});
    const group = Number(await readUntil(child.stdout, /\d+\n/));
    await other[Symbol.asyncDispose]();
    expect(await groupGone(group, 5_000)).toBe(true);
    await until(async () => (await rig.running()).length === 0);
  });

  test('several at once, beside the one with the terminal', async () => {
    const withTerminal = openSession(rig.guest, terminal('echo ready; read x'));
    await readUntil(withTerminal.stdout, /ready/);
    const found = await Promise.all(
      [1, 2, 3].map((code) => outcomeOf(openSession(rig.guest, owned(`echo ${code}; exit ${code}`)))),
    );
    expect(found.map(({ code, stdout }) => [code, stdout])).toEqual([
      [1, '1\n'],
      [2, '2\n'],
      [3, '3\n'],
    ]);
    expect((await rig.running()).length).toBe(1);
  });

  test('detached it has no client; its record is read meanwhile and afterwards', async () => {
    const request = { ...owned('echo out; echo err >&2; sleep 0.3; echo done; exit 3') };
    const info = await startDetached(rig.guest, request);
    expect(info).toMatchObject({ terminal: false, clients: 0 });
    const followed = readSession(rig.guest, { id: info.id, follow: true });
    const text = await textOf(followed.output);
    expect(text.split('\n').toSorted()).toEqual(['', 'done', 'err', 'out']);
    expect(await followed.ended).toMatchObject({ id: info.id, code: 3 });
    expect(await textOf(readSession(rig.guest, { follow: false }).output)).toBe(text);
    await expect(startDetached(rig.guest, { ...request, argv: ['no-such-command-here'] })).rejects.toMatchObject({
      code: 'guest-failed',
      message: expect.stringContaining('no-such-command-here'),
    });
  });
});
