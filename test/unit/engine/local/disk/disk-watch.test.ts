import { describe, expect, it } from 'vitest';
import { createDiskWatch } from '../../../../../lib/engine/local/disk/disk-watch.ts';
import type { VmHealth, VmPaths, VmProcess } from '../../../../../lib/vm/driver.ts';

const ALIVE: VmProcess = { pid: 1, startTime: '1', accel: 'tcg', startedAt: '' };
const machine = (id: string) => ({ id, paths: { dir: `/${id}` } as VmPaths });

/** A monitor that waits for space until it is told to go on while there is some. */
function monitor(health: Record<string, VmHealth>, free: { bytes: number }) {
  const asked: string[] = [];
  return {
    asked,
    driver: {
      find: ({ dir }: VmPaths) => (health[dir] === undefined ? undefined : ALIVE),
      health: async ({ dir }: VmPaths) => health[dir] ?? 'unknown',
      resume: async ({ dir }: VmPaths) => {
        asked.push(dir);
        if (free.bytes > 0) health[dir] = 'running';
      },
    },
  };
}

describe('machines on a full disk', () => {
  it('wait, are shown, and go on when there is space', async () => {
    const free = { bytes: 0 };
    const { driver, asked } = monitor({ '/a': 'disk-full', '/b': 'running' }, free);
    const watch = createDiskWatch(driver, () => free.bytes);
    await watch.check([machine('a'), machine('b')]);
    expect([watch.isWaiting('a'), watch.isWaiting('b')]).toEqual([true, false]);
    expect(asked).toEqual([]);
    free.bytes = 1024 ** 3;
    await watch.check([machine('a'), machine('b')]);
    expect(watch.isWaiting('a')).toBe(false);
    expect(asked).toEqual(['/a']);
  });

  it('a machine that someone paused, one that does not answer and one that is gone are left alone', async () => {
    const { driver, asked } = monitor({ '/a': 'paused', '/b': 'unknown' }, { bytes: 1024 ** 3 });
    const watch = createDiskWatch(driver, () => 1024 ** 3);
    await watch.check([machine('a'), machine('b'), machine('c')]);
    expect(asked).toEqual([]);
  });

  it('one that is full again at once is still waiting', async () => {
    const { driver } = monitor({ '/a': 'disk-full' }, { bytes: 0 });
    const watch = createDiskWatch(driver, () => 1024 ** 3);
    await watch.check([machine('a')]);
    expect(watch.isWaiting('a')).toBe(true);
  });
});
