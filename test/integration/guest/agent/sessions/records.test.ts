import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openSession, readSession } from '../../../../../lib/guest/client/session-client.ts';
import { groupGone, outcomeOf, startAgent, textOf } from '../agent-rig.ts';
import { numberOf, owned, terminal, useSessions } from './rig.ts';

const rig = useSessions();

describe('the records', () => {
  test('are few, and bounded on disk', async () => {
    for (let index = 0; index < 12; index += 1) await outcomeOf(openSession(rig.guest, owned(`echo ${index}`)));
    const kept = await rig.sessions();
    expect(kept.length).toBe(8);
    const names = readdirSync(join(rig.dir, 'records'));
    expect(names.length).toBeLessThanOrEqual(8 * 3);
    expect(await textOf(readSession(rig.guest, { id: kept[0]?.id ?? 0, follow: false }).output)).toMatch(/^\d\n$/);
    await expect(readSession(rig.guest, { id: 1, follow: false }).ended).rejects.toMatchObject({ code: 'not-found' });
  });

  test('outlive the agent: an ended session with its code, one that ran as lost', async () => {
    const records = join(rig.dir, 'others');
    const before = await startAgent({ records });
    const first = await before.connect();
    await outcomeOf(openSession(first, owned('echo kept; exit 9')));
    const lost = openSession(first, terminal('echo $$; read x'));
    lost.exit.catch(() => {});
    const group = await numberOf(lost);
    await first[Symbol.asyncDispose]();
    await before[Symbol.asyncDispose]();
    // Its terminal has gone with the rig.agent.
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

  test('with a read-only folder only the copy on disk is lost', async () => {
    writeFileSync(join(rig.dir, 'file'), '');
    await using other = await startAgent({ records: join(rig.dir, 'file', 'below') });
    await using connection = await other.connect();
    expect(await outcomeOf(openSession(connection, owned('echo fine')))).toMatchObject({ code: 0, stdout: 'fine\n' });
    expect(await textOf(readSession(connection, { follow: false }).output)).toBe('fine\n');
  });

  test('are removed before a snapshot', async () => {
    const records = join(rig.dir, 'snapshot');
    await using other = await startAgent({ records });
    await using connection = await other.connect();
    await outcomeOf(openSession(connection, owned('echo secret')));
    const session = openSession(connection, terminal('echo $$; read x'));
    session.exit.catch(() => {});
    const group = await numberOf(session);
    // What follows is done in a virtual machine only.
    await expect(connection.request('prepare-snapshot', {})).rejects.toMatchObject({
      message: expect.stringContaining('setup helper'),
    });
    expect(await groupGone(group, 5_000)).toBe(true);
    expect((await connection.request('sessions', {})).sessions).toEqual([]);
    expect(readdirSync(records)).toEqual([]);
  });
});
