import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { pauseAfter } from '../../../lib/reconcile/sandbox-machine.ts';
import { createSupervisor } from '../../../lib/reconcile/supervisor.ts';
import { spec } from '../plan/spec.ts';

const ATTEMPTS = 3;
/** Longer than all of its pauses allOrAbort */
const LONG_MS = 600_000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** One that cannot start, until it is `mended`. */
function broken() {
  const state = { tries: 0, mended: false };
  const supervisor = createSupervisor({
    plan: async (id) => ({
      changes: [],
      steps: state.mended && state.tries > 0 ? [] : [{ action: 'start', sandbox: id, spec: spec() }],
    }),
    execute: async () => {
      state.tries += 1;
      if (!state.mended) throw new Error('the workspace is gone');
    },
    concurrency: 1,
    attempts: ATTEMPTS,
  });
  return { supervisor, state };
}

/** As the daemon looks, but far more often. */
async function lookFor(ms: number, look: () => void): Promise<void> {
  for (let passed = 0; passed < ms; passed += 100) {
    look();
    await vi.advanceTimersByTimeAsync(100);
  }
}

async function givenUp() {
  const { supervisor, state } = broken();
  supervisor.watch('shop', spec());
  await vi.advanceTimersByTimeAsync(LONG_MS);
  expect(state.tries).toBe(ATTEMPTS);
  return { supervisor, state };
}

test('one that failed too often is not woken by looking, and its error is kept', async () => {
  const { supervisor, state } = await givenUp();
  await lookFor(LONG_MS, () => supervisor.look('shop'));
  expect(state.tries).toBe(ATTEMPTS);
  expect(supervisor.lastError('shop')).toMatchObject({ message: 'the workspace is gone' });
});

test('a look does not shorten the pause after a failure', async () => {
  const { supervisor, state } = broken();
  supervisor.watch('shop', spec());
  await vi.advanceTimersByTimeAsync(0);
  for (let failures = 1; failures < ATTEMPTS; failures += 1) {
    await lookFor(pauseAfter(failures) - 100, () => supervisor.look('shop'));
    expect(state.tries).toBe(failures);
    await vi.advanceTimersByTimeAsync(100);
    expect(state.tries).toBe(failures + 1);
  }
});

test('what happens to it wakes it, with all its tries', async () => {
  const { supervisor, state } = await givenUp();
  supervisor.poke('shop');
  await vi.advanceTimersByTimeAsync(LONG_MS);
  expect(state.tries).toBe(2 * ATTEMPTS);
});

test('who asks for it is served at once', async () => {
  const { supervisor, state } = await givenUp();
  await expect(supervisor.converge('shop', spec())).rejects.toThrow('the workspace is gone');
  expect(state.tries).toBe(ATTEMPTS + 1);
  state.mended = true;
  await supervisor.converge('shop', spec());
  expect(supervisor.lastError('shop')).toBeUndefined();
});

test('a look finds what changed unseen at one that was well', async () => {
  const { supervisor, state } = broken();
  state.mended = true;
  await supervisor.converge('shop', spec());
  expect(state.tries).toBe(1);
  state.tries = 0;
  supervisor.look('shop');
  await vi.advanceTimersByTimeAsync(0);
  expect(state.tries).toBe(1);
});

describe('after an apply that was given up', () => {
  /** What runs, by its name; undefined: nothing does. */
  function one() {
    const world: { runs: string | undefined; starts: number } = { runs: undefined, starts: 0 };
    const supervisor = createSupervisor({
      plan: async (id, target) => ({
        changes: [],
        steps:
          target === undefined || world.runs === target.name ? [] : [{ action: 'start', sandbox: id, spec: target }],
      }),
      execute: async (_id, step) => {
        world.starts += 1;
        if (step.action === 'start') world.runs = step.spec.name;
      },
      concurrency: 1,
      attempts: ATTEMPTS,
    });
    const givenUp = () =>
      expect(
        supervisor.converge('shop', { ...spec(), name: 'asked' }, { signal: AbortSignal.abort() }),
      ).rejects.toMatchObject({ code: 'cancelled' });
    return { supervisor, world, givenUp };
  }

  test('what was applied before is kept, and brought back when something happens to it', async () => {
    const { supervisor, world, givenUp } = one();
    supervisor.watch('shop', { ...spec(), name: 'applied' });
    await vi.advanceTimersByTimeAsync(0);
    await givenUp();
    world.runs = undefined;
    supervisor.poke('shop');
    await vi.advanceTimersByTimeAsync(LONG_MS);
    expect(world).toEqual({ runs: 'applied', starts: 2 });
  });

  test('what was never applied is not made in the background, until somebody asks', async () => {
    const { supervisor, world, givenUp } = one();
    await givenUp();
    supervisor.poke('shop');
    await vi.advanceTimersByTimeAsync(LONG_MS);
    expect(world).toEqual({ runs: undefined, starts: 0 });
    await supervisor.converge('shop', { ...spec(), name: 'asked' });
    expect(world).toEqual({ runs: 'asked', starts: 1 });
  });
});
