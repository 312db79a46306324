import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { appliedProject } from '../applied-project.ts';
import {
  daemonPid,
  HOME,
  inside,
  json,
  killDaemon,
  must,
  netLog,
  processesWith,
  qemusBelow,
  SMALL,
  type Status,
  until,
} from '../harness.ts';

type Detail = Status & { pool: { wanted: number; waiting: number } };

const toml = ({ count = 1, pool = 1 }) => `version = 1
agent = "shell"
${SMALL}
[lifecycle]
pool = ${pool}
[workspace]
hide = ["*.secret"]
[sandboxes.c]
count = ${count}
`;

/** The identity of a sandbox, one value a line; its clock last */
const WHO =
  'cat /etc/machine-id /proc/sys/kernel/random/boot_id /proc/sys/kernel/random/uuid; head -c 16 /dev/urandom | od -An -tx1; hostname; date +%s';

const INSTANCES = join(HOME, 'instances');
const folders = () => readdirSync(INSTANCES).filter((name) => name.startsWith('pool-'));
/** Also of those that have become a sandbox: a process keeps the name that it was started with */
const processesOf = (folder: string) => processesWith(`sbx-vm:${join(INSTANCES, folder)}`);

describe('the warm pool', () => {
  const p = appliedProject('pool', toml({}));
  const detail = (name = 'c-1') => json<Detail>(['inspect', name], { cwd: p.dir });
  /** The folder of the only one */
  const filled = async () => {
    await until(async () => (await detail()).pool.waiting === 1);
    return folders()[0] ?? '';
  };
  /** What is said on the way */
  const said = async (...args: string[]) => (await must(args, { cwd: p.dir })).stderr;

  test('a pooled clone has no egress; the next sandbox claims it and gets its own identity', async () => {
    const waiting = await filled();
    expect(folders()).toEqual([waiting]);
    expect(readdirSync(join(INSTANCES, waiting, 'egress'))).toEqual([]);
    const processes = processesOf(waiting);
    expect(processes.length).toBeGreaterThan(0);
    p.write(toml({ count: 2 }));
    expect(await said('apply', '--yes', '--accept-widening')).toContain('a clone from the warm pool');
    expect(existsSync(join(INSTANCES, waiting))).toBe(false);
    const [first, second] = [await detail('c-1'), await detail('c-2')];
    expect(processes).toContain(second.pid);
    expect(second).toMatchObject({ state: 'running', snapshot: first.snapshot });
    const [one, two] = [await inside(p.dir, WHO, ['c-1']), await inside(p.dir, WHO, ['c-2'])];
    const [lines, others] = [two.split('\n'), one.split('\n')];
    for (let line = 0; line < 5; line += 1) expect(lines[line]).not.toBe(others[line]);
    expect(lines[4]).toBe('c-2');
    expect(Math.abs(Number(lines[5]) - Date.now() / 1000)).toBeLessThan(60);
    expect(await json(['apply'], { cwd: p.dir })).toMatchObject({ steps: [] });
  });

  test('a sandbox from the pool works in its workspace and uses its own egress proxy', async () => {
    expect(await inside(p.dir, 'pwd && echo two > by-two', ['c-2'])).toBe(p.dir);
    expect(readFileSync(join(p.dir, 'by-two'), 'utf8')).toBe('two\n');
    expect(await inside(p.dir, 'curl -sS -m 60 http://wanted.test/', ['c-2'])).toContain('sbx net allow');
    expect((await netLog(p.dir, ['c-2'])).map(({ host }) => host)).toEqual(['wanted.test']);
    expect(await netLog(p.dir, ['c-1'])).toEqual([]);
  });

  test('reset claims a clone, and nothing of the previous VM is left', async () => {
    await filled();
    await inside(p.dir, 'sudo touch /before', ['c-2']);
    const before = await inside(p.dir, 'cat /etc/machine-id', ['c-2']);
    expect(await said('reset', 'c-2', '--yes')).toContain('a clone from the warm pool');
    expect(await inside(p.dir, 'ls /before 2>/dev/null; cat /etc/machine-id', ['c-2'])).not.toContain(before);
    expect(await inside(p.dir, 'hostname', ['c-2'])).toBe('c-2');
  });

  test('a file that the host makes after the clone is hidden in it', async () => {
    await filled();
    writeFileSync(join(p.dir, 'new.secret'), 'canary\n');
    expect(await said('reset', 'c-2', '--yes')).toContain('a clone from the warm pool');
    expect(await inside(p.dir, 'ls; cat new.secret 2>&1; :', ['c-2'])).not.toMatch(/^new.secret|^canary/m);
  });

  test('a sandbox from the pool is restarted and recovered like any other', async () => {
    await inside(p.dir, 'sudo sh -c "echo kept > /kept" && sync', ['c-2']);
    await must(['stop', 'c-2'], { cwd: p.dir });
    await must(['start', 'c-2'], { cwd: p.dir });
    expect(await inside(p.dir, 'cat /kept', ['c-2'])).toBe('kept');
    await filled();
    await must(['reset', 'c-2', '--yes'], { cwd: p.dir });
    const { pid } = await detail('c-2');
    killDaemon();
    expect((await detail('c-2')).pid).toBe(pid);
    process.kill(pid ?? 0, 'SIGKILL');
    await until(async () => {
      const { pid: next, state } = await detail('c-2');
      return next !== pid && state === 'running';
    });
    expect(await inside(p.dir, 'hostname', ['c-2'])).toBe('c-2');
  });

  test('the pool is refilled when a clone or the daemon is killed, and nothing of the previous one is left', async () => {
    const first = await filled();
    const [qemu = 0] = qemusBelow(join(INSTANCES, first));
    process.kill(qemu, 'SIGKILL');
    await until(async () => (await filled()) !== first);
    const second = await filled();
    const daemon = daemonPid();
    killDaemon();
    await until(async () => (await filled()) !== second && daemonPid() !== daemon);
    for (const folder of [first, second]) {
      expect(processesOf(folder)).toEqual([]);
      expect(folders()).not.toContain(folder);
    }
  });

  test('clones without demand are removed: of stopped sandboxes, of a pool of 0, of removed sandboxes', async () => {
    const empty = () => expect([folders(), processesOf('pool-')]).toEqual([[], []]);
    await filled();
    for (const name of ['c-1', 'c-2']) await must(['stop', name], { cwd: p.dir });
    empty();
    await must(['start', 'c-1'], { cwd: p.dir });
    await filled();
    const { pid } = await detail();
    // Removes the second sandbox, too, which is a loss.
    p.write(toml({ pool: 0 }));
    const { changes } = await json<{ changes: object[] }>(['apply', '--yes'], { cwd: p.dir });
    expect(changes).toContainEqual(expect.objectContaining({ path: 'lifecycle.pool', effect: 'live' }));
    expect((await detail()).pid).toBe(pid);
    empty();
    p.write(toml({}));
    await must(['apply'], { cwd: p.dir });
    await filled();
    await must(['rm', '--all', '--yes'], { cwd: p.dir });
    empty();
  });

  test('a daemon that stops removes its pool', async () => {
    await must(['apply', '--yes'], { cwd: p.dir });
    const waiting = await filled();
    await must(['daemon', 'stop'], { cwd: p.dir });
    expect(processesOf(waiting)).toEqual([]);
    expect(existsSync(join(INSTANCES, waiting))).toBe(false);
  });
});
