/** Killed and interrupted at every point of an apply and of a bake: the next apply converges, and nothing is left over. */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { appliedProject } from '../applied-project.ts';
import { applyUntil } from '../apply-until.ts';
import {
  HOME,
  inside,
  json,
  killDaemon,
  must,
  type Project,
  project,
  qemuPid,
  qemusBelow,
  qemusOf,
  SHELL,
  sbx,
  statusOf,
  until,
} from '../harness.ts';

async function converges(dir: string): Promise<void> {
  await must(['apply', '--yes'], { cwd: dir });
  expect(await inside(dir, 'echo converged')).toBe('converged');
  expect(qemusOf((await statusOf(dir)).id)).toHaveLength(1);
  expect(readdirSync(join(HOME, 'store', 'tmp'))).toEqual([]);
}

describe('an apply', () => {
  const p = appliedProject('killed', SHELL);

  test('converges when the daemon is killed at each reported step', async () => {
    let steps = 0;
    for (let acted = true; acted; ) {
      await must(['rm', '--yes'], { cwd: p.dir });
      const count = steps + 1;
      ({ acted } = await applyUntil(p.dir, (text) => text.split('\n').length > count, killDaemon));
      if (acted) steps += 1;
      await converges(p.dir);
    }
    // At least the begin and the end of: build, create, record.
    expect(steps).toBeGreaterThanOrEqual(6);
  });

  test.each([0, 40, 150, 400])('converges when QEMU is killed %i ms after its start', async (delay) => {
    const { id } = await statusOf(p.dir);
    await must(['rm', '--yes'], { cwd: p.dir });
    const applying = sbx(['apply', '--yes'], { cwd: p.dir });
    const pid = await until(async () => qemusOf(id)[0], 5);
    await new Promise((resolve) => setTimeout(resolve, delay));
    process.kill(pid, 'SIGKILL');
    const { code, stderr } = await applying;
    if (code !== 0) expect(stderr).toMatch(/^sbx: .+\n(why: [\s\S]+)?what to do: .+\n$/m);
    await converges(p.dir);
    // The machine of the first apply may have ended after it was done: then it is started again.
    await until(async () => (await statusOf(p.dir)).state === 'running' && qemuPid(id) !== pid);
  });
});

describe('a change of a running sandbox', () => {
  const p = appliedProject('killed-live', SHELL);
  const shared = mkdtempSync(join(tmpdir(), 'sbx-killed-'));
  afterAll(() => rmSync(shared, { recursive: true, force: true }));
  // Another mount needs another start.
  const mount = (guest: string) => `[[mounts]]\nhost = ${JSON.stringify(shared)}\nguest = "${guest}"\n`;

  test.each([
    { step: 'stop', toml: `${SHELL}${mount('/mnt/a')}` },
    { step: 'start', toml: `${SHELL}${mount('/mnt/a')}${mount('/mnt/b')}` },
    { step: 'grow', toml: `${SHELL}disk = "22GiB"\n${mount('/mnt/a')}${mount('/mnt/b')}` },
    { step: 'start', toml: `${SHELL.replace('512MiB', '520MiB')}disk = "24GiB"\n${mount('/mnt/a')}` },
  ])('converges when the daemon is killed as its $step begins', async ({ step, toml }) => {
    p.write(toml);
    const ask = ['apply', '--accept-widening'];
    const { acted } = await applyUntil(p.dir, (text) => text.includes(`: ${step}\n`), killDaemon, ask);
    expect(acted).toBe(true);
    await converges(p.dir);
    expect((await json<{ changes: unknown[] }>(['plan'], { cwd: p.dir })).changes).toEqual([]);
  });

  test.each([
    { ask: ['stop'], step: 'stop', state: 'stopped', sameDisk: true },
    { ask: ['start'], step: 'start', state: 'running', sameDisk: true },
    { ask: ['reset', '--yes'], step: 'create', state: 'running', sameDisk: false },
  ])(
    'by `sbx $ask.0` is finished by the next daemon when the daemon is killed as its $step begins',
    async ({ ask, step, state, sameDisk }) => {
      if ((await statusOf(p.dir)).state === 'running') await inside(p.dir, 'touch ~/kept');
      const { acted } = await applyUntil(p.dir, (text) => text.includes(`: ${step}\n`), killDaemon, ask);
      expect(acted).toBe(true);
      await until(async () => (await statusOf(p.dir)).state === state);
      // Until a reset comes to its `create`, the machine of before runs.
      if (state === 'running')
        await until(async () => (await json<{ changes: unknown[] }>(['plan'], { cwd: p.dir })).changes.length === 0);
      if (state === 'running') expect(await inside(p.dir, 'ls ~')).toBe(sameDisk ? 'kept' : '');
      expect(qemusOf((await statusOf(p.dir)).id)).toHaveLength(state === 'running' ? 1 : 0);
    },
  );

  test('that removes it is finished by the next daemon when the daemon is killed as it begins', async () => {
    const { id } = await statusOf(p.dir);
    const { acted } = await applyUntil(p.dir, (text) => text.includes(': destroy'), killDaemon, ['rm', '--yes']);
    expect(acted).toBe(true);
    const { code, stderr } = await sbx(['rm', '--yes'], { cwd: p.dir });
    // The daemon may have come to the end of it.
    if (code !== 0) expect(stderr).toMatch(/no (such )?sandbox/);
    expect(qemusOf(id)).toEqual([]);
    expect(existsSync(join(HOME, 'instances', id))).toBe(false);
    expect(readdirSync(p.dir)).toEqual(['sandbox.toml']);
  });
});

describe('a bake', () => {
  let one: Project;
  let two: Project;
  const tag = randomUUID();

  beforeAll(() => {
    // Its output, not the line itself, which is told before.
    const setup = `echo reached-$((6 * 7))-${tag}; sleep 3; cat /proc/sys/kernel/random/uuid >/etc/built`;
    const baked = `${SHELL}[packages]\nsetup = ["${setup}"]\n`;
    one = project('bake-one', baked);
    two = project('bake-two', baked);
  });
  afterAll(async () => {
    await one?.[Symbol.asyncDispose]();
    await two?.[Symbol.asyncDispose]();
  });

  const isReached = (text: string) => text.includes(`reached-42-${tag}`);
  const layers = () => readdirSync(join(HOME, 'store')).toSorted();

  test('is jailed; ctrl-c ends it with 130, and nothing is left over', async () => {
    const before = layers();
    const { code, stderr } = await applyUntil(one.dir, isReached, (child) => {
      jailed(qemusBelow(HOME).filter(inStore));
      child.kill('SIGINT');
    });
    expect(code).toBe(130);
    expect(stderr).toContain('what to do: what was begun is finished by the next `sbx apply`');
    await until(async () => qemusBelow(HOME).every((pid) => !inStore(pid)));
    await until(async () => readdirSync(join(HOME, 'store', 'tmp')).length === 0);
    expect(layers()).toEqual(before);
  });

  test('leaves no VM and no unfinished layer when the daemon is killed; two applies at once share one build', async () => {
    const before = layers();
    const { acted } = await applyUntil(one.dir, isReached, killDaemon);
    expect(acted).toBe(true);
    // Its machine goes on, until the next daemon ends it.
    const abandoned = qemusBelow(HOME).filter(inStore);
    expect(abandoned).toHaveLength(1);
    expect(layers()).toEqual(before);
    const both = await Promise.all([one, two].map(({ dir }) => must(['apply', '--yes'], { cwd: dir })));
    expect(both.filter(({ stderr }) => isReached(stderr)).length).toBeGreaterThanOrEqual(1);
    const [first, second] = await Promise.all([one, two].map(({ dir }) => inside(dir, 'cat /etc/built')));
    expect(first).toMatch(/^[0-9a-f-]{36}$/);
    expect(second).toBe(first);
    expect(qemusBelow(HOME).filter(inStore)).toEqual([]);
    expect(abandoned.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
    expect(readdirSync(join(HOME, 'store', 'tmp'))).toEqual([]);
  });
});

/** Whether it is a machine of a build and not of a sandbox. */
function inStore(pid: number): boolean {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(join(HOME, 'store', 'tmp'));
}

/** The project's own lines run in it: it is jailed like a sandbox. */
function jailed(pids: number[]): void {
  expect(pids).toHaveLength(1);
  const status = readFileSync(`/proc/${pids[0]}/status`, 'utf8');
  expect(status).toMatch(/^CapEff:\t0+$/m);
  expect(status).toMatch(/^NoNewPrivs:\t1$/m);
  expect(status).toMatch(/^Seccomp:\t2$/m);
  for (const kind of ['user', 'mnt', 'pid', 'net'])
    expect(readlinkSync(`/proc/${pids[0]}/ns/${kind}`)).not.toBe(readlinkSync(`/proc/self/ns/${kind}`));
}
