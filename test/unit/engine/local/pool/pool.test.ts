/** Which clones are made, given out and ended. The machines are test doubles. */
import { expect, test, vi } from 'vitest';
import { Pool } from '../../../../../lib/engine/local/pool/pool.ts';
import type { PooledClone } from '../../../../../lib/engine/local/pool/pooled-clone.ts';
import type { WarmImage } from '../../../../../lib/image/warm/warm-image.ts';
import { FIRST, type InstanceRecord } from '../../../../../lib/state/records.ts';
import { spec } from '../../../plan/spec.ts';

const IMAGE = { key: 'k' } as WarmImage;
const WANTED = { id: 'i', spec: spec(), image: IMAGE };
const asking = (pool: number) => spec({ lifecycle: { restart: 'on-failure', idleSeconds: 0, pool } });

/** A pool that one sandbox asks of, with what happens to the machines. `make` may take its time, or fail. */
function rig(count: number, made: (signal: AbortSignal) => Promise<void> = async () => {}) {
  const alive = new Set<string>();
  const log: string[] = [];
  const logged: string[] = [];
  const state = { count, tries: 0 };
  const pool = new Pool({
    records: () => [{ applied: asking(state.count), image: IMAGE, desired: FIRST } as InstanceRecord],
    async make({ id, signal }) {
      state.tries += 1;
      await made(signal);
      alive.add(id);
      log.push('made');
      return { id } as PooledClone;
    },
    async end(id) {
      if (!alive.delete(id)) log.push('nobody ended');
      log.push('ended');
    },
    isAlive: ({ id }) => alive.has(id),
    log: { warn: (message) => void logged.push(message) },
  });
  return { pool, alive, log, logged, state };
}

test('as many as asked for are made; one that was taken is nobody else’s, and is made up for', async () => {
  const { pool, alive, log } = rig(2);
  await pool.fill();
  expect([pool.size, log]).toEqual([2, ['made', 'made']]);
  const [one, two] = [pool.take(WANTED), pool.take(WANTED)];
  expect(new Set([one?.id, two?.id, undefined]).size).toBe(3);
  expect(pool.take(WANTED)).toBeUndefined();
  await pool.fill();
  expect([pool.size, alive.size]).toEqual([2, 4]);
  await pool[Symbol.asyncDispose]();
  // The taken ones are the takers'.
  expect([pool.size, alive.size]).toEqual([0, 2]);
});

test('one that does not fit is not given', async () => {
  const { pool } = rig(1);
  await pool.fill();
  expect(pool.take({ ...WANTED, image: { key: 'other' } as WarmImage })).toBeUndefined();
  expect(
    pool.take({ id: 'i', spec: spec({ workspace: { ...spec().workspace, hide: ['.env'] } }), image: IMAGE }),
  ).toBeUndefined();
  expect(pool.waiting(WANTED)).toBe(1);
});

test('one that died is not given, is ended for good, and is made up for', async () => {
  const { pool, alive, log } = rig(1);
  await pool.fill();
  alive.clear();
  expect([pool.waiting(WANTED), pool.take(WANTED)]).toEqual([0, undefined]);
  await pool.fill();
  expect(log).toEqual(['made', 'nobody ended', 'ended', 'made']);
});

test('fewer are wanted: the rest has gone when `shrink` resolves', async () => {
  const { pool, alive, state } = rig(3);
  await pool.fill();
  state.count = 1;
  await pool.shrink();
  expect([pool.size, alive.size]).toEqual([1, 1]);
  state.count = 0;
  await pool.shrink();
  expect([pool.size, alive.size]).toEqual([0, 0]);
});

test('one that is just being made and that nobody wants any more is given up, and waited for', async () => {
  const given: string[] = [];
  const { pool, alive, state } = rig(1, async (signal) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    given.push('up');
    signal.throwIfAborted();
  });
  const tending = pool.fill();
  await vi.waitFor(() => expect(state.tries).toBe(1));
  state.count = 0;
  await pool.shrink();
  expect([given, alive.size]).toEqual([['up'], 0]);
  await tending;
});

test('the end of the daemon: what is being made is given up, what waits ends, nothing more is made', async () => {
  const { pool, alive, state } = rig(2, async (signal) => {
    if (state.tries === 1) return;
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    signal.throwIfAborted();
  });
  void pool.fill();
  await vi.waitFor(() => expect(state.tries).toBe(2));
  await pool[Symbol.asyncDispose]();
  expect([pool.size, alive.size]).toEqual([0, 0]);
  await pool.fill();
  expect(state.tries).toBe(2);
});

test('a failure is logged and retried only after the backoff', async () => {
  vi.useFakeTimers();
  try {
    const { pool, state, logged } = rig(1, async () => {
      throw new Error('no space');
    });
    for (let look = 0; look < 6; look += 1) {
      await pool.fill();
      vi.advanceTimersByTime(10_000);
    }
    expect(state.tries).toBe(1);
    expect(logged).toEqual(['warm pool: no space']);
    await pool.fill();
    expect(state.tries).toBe(2);
  } finally {
    vi.useRealTimers();
  }
});
