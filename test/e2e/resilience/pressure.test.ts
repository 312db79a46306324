/** One sandbox of 512 MiB under pressure: memory, processes, disk. What is too much dies or is limited, and the sandbox answers. */
import type { ChildProcess } from 'node:child_process';
import { describe, expect, test, vi } from 'vitest';
import { appliedProject } from '../applied-project.ts';
import { inside, json, must, type Result, SHELL, type Status, sbx, statusOf } from '../harness.ts';

const p = appliedProject('pressure', SHELL);
const asRoot = (script: string) =>
  must(['exec', '-u', 'root', '--', 'sh', '-c', script], { cwd: p.dir }).then(({ stdout }) => stdout.trim());
const condition = async (type: string) => (await statusOf(p.dir)).conditions.find((one) => one.type === type);
const PROCESSES = '/proc/[0-9]*';
const AGENTS = `for p in ${PROCESSES}; do grep -qa '[/]agent.cjs' $p/cmdline && echo $p; done; :`;
const until = (wanted: () => Promise<boolean>) => vi.waitUntil(wanted, { timeout: 60_000, interval: 500 });

/** A command that goes on while others run. */
async function beside(script: string, work: () => Promise<void>): Promise<Result> {
  let child: ChildProcess | undefined;
  const ended = sbx(['exec', '--', 'sh', '-c', script], {
    cwd: p.dir,
    onStart: (one) => {
      child = one;
    },
  });
  try {
    await work();
  } finally {
    child?.kill('SIGTERM');
  }
  return ended;
}

describe('a sandbox', () => {
  test('has the limits that real work needs', async () => {
    expect(await inside(p.dir, 'ulimit -Sn; ulimit -Hn')).toBe('65536\n524288');
    const names = ['fs/inotify/max_user_watches', 'fs/inotify/max_user_instances', 'vm/max_map_count'];
    expect(await inside(p.dir, `cd /proc/sys; cat ${names.join(' ')}`)).toBe('524288\n1024\n262144');
    expect(Number(await inside(p.dir, 'df --output=size -BM /dev/shm | tail -n 1 | tr -dc 0-9'))).toBeGreaterThan(128);
  });

  test('keeps the agent and its helpers out of the group of the commands, and out of reach of lack of memory', async () => {
    expect(await inside(p.dir, 'cat /proc/self/oom_score_adj')).toBe('0');
    expect(await inside(p.dir, 'cat /proc/self/cgroup')).toMatch(/^0::\/work\/\d+$/);
    const helpers = await asRoot(
      `for p in ${PROCESSES}; do grep -qa '^/opt/sbx/lib/ld.so' $p/cmdline && echo $(cat $p/cgroup $p/oom_score_adj); done; :`,
    );
    // The agent, its helper, the relay and its two.
    expect(helpers.split('\n').length).toBeGreaterThan(2);
    expect(new Set(helpers.split('\n'))).toEqual(new Set(['0::/ -1000']));
  });
});

describe('memory', () => {
  test('a command that takes 2 GiB is ended with 137 and one line; the sandbox says so, and answers', async () => {
    const { code, stderr } = await sbx(['exec', '--', 'perl', '-e', 'push @x, "a" x 1e7 for 1..220'], { cwd: p.dir });
    expect([code, stderr]).toEqual([137, expect.stringMatching(/^sbx: out of memory: .*\n$/)]);
    await must(['exec', '--', 'true'], { cwd: p.dir });
    await until(async () => (await condition('MemoryAvailable'))?.status === false);
    expect((await must(['ls'], { cwd: p.dir })).stdout).toMatch(/running, out of memory/);
    expect((await condition('Ready'))?.status).toBe(true);
  });

  test('150 processes that need three times the memory leave the sandbox answering', async () => {
    const many = 'for i in $(seq 150); do perl -e \'$x = "a" x 8e6; sleep 1000\' & done; wait';
    const agent = await asRoot(AGENTS);
    await beside(many, async () => {
      const kills = () => asRoot("sed -n 's/^oom_kill //p' /sys/fs/cgroup/work/memory.events").then(Number);
      const before = await kills();
      await until(async () => (await kills()) > before);
      await must(['exec', '--', 'true'], { cwd: p.dir });
    });
    // The same one as before
    expect(await asRoot(AGENTS)).toBe(agent);
  });
});

describe('disk', () => {
  const disk = async () => (await json<(Status & { diskBytes: number })[]>(['ls'], { cwd: p.dir }))[0]?.diskBytes ?? 0;

  test('space that is freed inside goes back to the host, and `ls` shows it', async () => {
    const before = await disk();
    await inside(p.dir, 'head -c 128M /dev/urandom > ~/big; sync');
    const full = await disk();
    expect(full - before).toBeGreaterThan(100 * 1024 ** 2);
    await inside(p.dir, 'rm ~/big; sync');
    await until(async () => (await disk()) < full - 100 * 1024 ** 2);
  });

  test('a full one leaves the sandbox answering, and lets it stop and start', async () => {
    // Reserved, not written: the host's disk stays as it is.
    await asRoot('fallocate -l $(df --output=avail -B1 / | tail -n 1) /fill; head -c 64M /dev/zero > /rest || true');
    const { code, stderr } = await sbx(['exec', '--', 'sh', '-c', 'head -c 1M /dev/zero > ~/more'], { cwd: p.dir });
    expect(stderr).toContain('No space left on device');
    expect(code).not.toBe(0);
    await must(['exec', '--', 'true'], { cwd: p.dir });
    await must(['restart'], { cwd: p.dir });
    await must(['exec', '--', 'true'], { cwd: p.dir });
    await asRoot('rm /fill /rest');
  });
});

describe('processes', () => {
  const BOMB = 'bomb() { bomb | bomb & }; bomb; sleep 1000';

  test('a fork bomb is limited; exec, stop, reset and rm work beside it', async () => {
    const running = () => asRoot('cat /sys/fs/cgroup/work/*/pids.current | sort -n | tail -n 1').then(Number);
    await beside(BOMB, async () => {
      await until(async () => (await running()) > 300);
      await must(['exec', '--', 'true'], { cwd: p.dir });
      expect(await running()).toBeLessThanOrEqual(1024);
      await must(['stop', '--yes'], { cwd: p.dir });
    });
    await must(['start'], { cwd: p.dir });
    await beside(BOMB, async () => {
      await until(async () => (await running()) > 300);
      await must(['reset', '--yes'], { cwd: p.dir });
    });
    await must(['exec', '--', 'true'], { cwd: p.dir });
    await beside(BOMB, async () => {
      await until(async () => (await running()) > 300);
      await must(['rm', '--yes'], { cwd: p.dir });
    });
  });
});
