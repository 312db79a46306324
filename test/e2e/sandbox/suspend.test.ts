/** A sandbox that is suspended and continues: processes, a session of its agent, open files, clock, network; a daemon that is killed; another QEMU. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { applyUntil } from '../apply-until.ts';
import {
  HOME,
  inside,
  json,
  killDaemon,
  must,
  type Project,
  project,
  qemusOf,
  SHELL,
  sbx,
  statusOf,
  until,
} from '../harness.ts';

/** Counts into a file of the workspace that it has open all the time, and into one of its own disk. Any error ends it. */
const COUNT = `set -e
exec 3>>counted
echo $$ >/home/agent/pid
i=0
while :; do i=$((i+1)); echo $i >&3; echo $i >/home/agent/count; sleep 0.05; done`;

const web = createServer((_, response) => response.end('web'));
let p: Project;
let id: string;
beforeAll(async () => {
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  const { port } = web.address() as AddressInfo;
  p = project('suspend', `${SHELL}[[services]]\nname = "web"\nhost = "127.0.0.1:${port}"\nport = 8080\n`);
  await must(['apply', '--accept-widening'], { cwd: p.dir });
  id = (await statusOf(p.dir)).id;
  await must(['run', '--detach', '--headless', COUNT], { cwd: p.dir });
  await until(async () => existsSync(join(p.dir, 'counted')));
});
afterAll(async () => {
  web.close();
  await p?.[Symbol.asyncDispose]();
});

const counted = () => readFileSync(join(p.dir, 'counted'), 'utf8').trim().split('\n').map(Number);
const instance = (name: string) => join(HOME, 'instances', id, name);
const stateIs = (state: string) => until(async () => (await statusOf(p.dir)).state === state);

/** The same process, in the same file: each number once. */
async function countsOn(pid: string): Promise<void> {
  expect(await inside(p.dir, 'cat ~/pid; kill -0 $(cat ~/pid) && echo alive')).toBe(`${pid}\nalive`);
  const before = counted().length;
  await until(async () => counted().length > before + 3);
  const numbers = counted();
  expect(numbers).toEqual(numbers.map((_, index) => index + 1));
}

describe('a suspended sandbox', () => {
  test('uses nothing of the host but its disk, and continues in another daemon where it was', async () => {
    const pid = await inside(p.dir, 'cat ~/pid');
    const machine = await inside(p.dir, 'cat /etc/machine-id');
    writeFileSync(join(p.dir, 'edited'), 'before');
    expect(await inside(p.dir, 'cat edited; ls missing 2>/dev/null || :')).toBe('before');
    expect(await json(['suspend'], { cwd: p.dir })).toMatchObject({ state: 'suspended', pid: null });
    const { suspended, diskBytes } = await json<{ suspended: { bytes: number }; diskBytes: number }>(['inspect'], {
      cwd: p.dir,
    });
    expect(suspended.bytes).toBeGreaterThan(20 * 2 ** 20);
    expect(suspended.bytes).toBeLessThan(512 * 2 ** 20);
    expect(diskBytes).toBeGreaterThan(suspended.bytes);
    expect(qemusOf(id)).toEqual([]);
    const last = counted().length;
    await must(['daemon', 'stop'], { cwd: p.dir });
    writeFileSync(join(p.dir, 'edited'), 'after');
    writeFileSync(join(p.dir, 'missing'), 'made');
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(counted()).toHaveLength(last);
    // A command continues it, and sees the right time, what the host changed, and the same sandbox.
    const [now, ...rest] = (await inside(p.dir, 'date +%s; cat edited missing; echo; cat /etc/machine-id')).split('\n');
    expect(Math.abs(Number(now) - Date.now() / 1000)).toBeLessThan(3);
    expect(rest).toEqual(['aftermade', machine]);
    await countsOn(pid);
    expect(existsSync(instance('memory')) || existsSync(instance('suspended.json'))).toBe(false);
  });

  test('has the session of its agent, and its network by the same policy', async () => {
    const { conditions } = await statusOf(p.dir);
    expect(conditions).toContainEqual(expect.objectContaining({ type: 'AgentRunning', status: true }));
    const fetch = (url: string) => `curl -s -m 20 -o /dev/null -w '%{http_code}\\n' ${url} || :`;
    const codes = await inside(p.dir, `${fetch('http://web.host.sbx:8080')}; ${fetch('http://denied.test')}`);
    expect(codes.split('\n')).toEqual(['200', '403']);
  });

  test('asks before it is stopped, and plans that its processes end', async () => {
    await must(['suspend'], { cwd: p.dir });
    expect(await sbx(['stop'], { cwd: p.dir })).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('the processes of the suspended sandbox'),
    });
    expect((await statusOf(p.dir)).state).toBe('suspended');
  });

  test('is whole when the daemon is killed as it is saved, and as it continues', async () => {
    await must(['start'], { cwd: p.dir });
    const pid = await inside(p.dir, 'cat ~/pid');
    for (const sign of [': suspend\n', 'saving its memory']) {
      const { acted } = await applyUntil(p.dir, (text) => text.includes(sign), killDaemon, ['suspend']);
      expect(acted).toBe(true);
      await stateIs('suspended');
      expect(qemusOf(id)).toEqual([]);
      const next = await applyUntil(p.dir, (text) => text.includes(': resume\n'), killDaemon, ['start']);
      expect(next.acted).toBe(true);
      await stateIs('running');
      await countsOn(pid);
    }
  });

  test('boots from its disk on another build of QEMU, and says so: nothing on the disk is lost', async () => {
    await inside(p.dir, 'echo kept >~/kept');
    await must(['suspend'], { cwd: p.dir });
    const saved = JSON.parse(readFileSync(instance('suspended.json'), 'utf8')) as object;
    writeFileSync(instance('suspended.json'), JSON.stringify({ ...saved, monitor: 'another' }));
    expect((await must(['start'], { cwd: p.dir })).stderr).toContain('another build of QEMU');
    expect(await inside(p.dir, 'cat ~/kept; kill -0 $(cat ~/pid) 2>/dev/null || echo ended')).toBe('kept\nended');
    const { conditions } = await statusOf(p.dir);
    expect(conditions).toContainEqual(
      expect.objectContaining({ type: 'Resumed', status: false, reason: 'BootedInstead' }),
    );
    // The cold-booted one is suspended with what it booted from.
    await must(['stop', '--suspend'], { cwd: p.dir });
    expect(await inside(p.dir, 'cat ~/kept')).toBe('kept');
    const after = (await statusOf(p.dir)).conditions.map(({ type }) => type);
    expect(after).not.toContain('Resumed');
  });
});
