import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { backoffAfter } from '../../../lib/reconcile/sandbox-machine.ts';
import { Supervisor } from '../../../lib/reconcile/supervisor.ts';
import { running, spec, want } from '../plan/spec.ts';
import { TestEngine } from './test-engine.ts';

const ATTEMPTS = 3;
/** Longer than the sum of its backoff delays */
const LONG_MS = 600_000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A sandbox whose VM has ended and cannot start, until it is `fixed`. */
function broken() {
  const state = { tries: 0, fixed: false };
  const engine = new TestEngine({
    work: ({ action }) => {
      if (action !== 'start') return;
      state.tries += 1;
      if (!state.fixed) throw new Error('the workspace is gone');
    },
  });
  engine.world.set('shop', running(spec(), { running: false, ready: false }));
  return { supervisor: new Supervisor({ engine, concurrency: 1, attempts: ATTEMPTS }), engine, state };
}

/** Resyncs as the daemon does, but far more often. */
async function resyncFor(ms: number, resync: () => void): Promise<void> {
  for (let passed = 0; passed < ms; passed += 100) {
    resync();
    await vi.advanceTimersByTimeAsync(100);
  }
}

async function halted() {
  const found = broken();
  found.supervisor.watch('shop', want(spec()));
  await vi.advanceTimersByTimeAsync(LONG_MS);
  expect(found.state.tries).toBe(ATTEMPTS);
  return found;
}

test('a halted sandbox is not retried by a resync, and its error is kept', async () => {
  const { supervisor, state } = await halted();
  await resyncFor(LONG_MS, () => supervisor.resync('shop'));
  expect(state.tries).toBe(ATTEMPTS);
  expect(supervisor.lastError('shop')).toMatchObject({
    message: 'the workspace is gone',
    step: { action: 'start', sandbox: 'shop' },
  });
});

test('a resync does not shorten the backoff', async () => {
  const { supervisor, state } = broken();
  supervisor.watch('shop', want(spec()));
  await vi.advanceTimersByTimeAsync(0);
  for (let failures = 1; failures < ATTEMPTS; failures += 1) {
    await resyncFor(backoffAfter(failures) - 100, () => supervisor.resync('shop'));
    expect(state.tries).toBe(failures);
    await vi.advanceTimersByTimeAsync(100);
    expect(state.tries).toBe(failures + 1);
  }
});

test('an event wakes it, with all its tries', async () => {
  const { supervisor, state } = await halted();
  supervisor.notify('shop');
  await vi.advanceTimersByTimeAsync(LONG_MS);
  expect(state.tries).toBe(2 * ATTEMPTS);
});

test('a request is served at once', async () => {
  const { supervisor, state } = await halted();
  await expect(supervisor.converge('shop', want(spec()))).rejects.toThrow('the workspace is gone');
  expect(state.tries).toBe(ATTEMPTS + 1);
  state.fixed = true;
  await supervisor.converge('shop', want(spec()));
  expect(supervisor.lastError('shop')).toBeUndefined();
});

test('a resync finds a change that raised no event', async () => {
  const { supervisor, engine, state } = broken();
  state.fixed = true;
  await supervisor.converge('shop', want(spec()));
  expect(state.tries).toBe(1);
  engine.crash('shop');
  supervisor.resync('shop');
  await vi.advanceTimersByTimeAsync(0);
  expect(state.tries).toBe(2);
});

describe('after an apply that was cancelled', () => {
  const NEXT = spec({ env: { NEXT: '1' } });
  const cancelled = (supervisor: Supervisor) =>
    expect(supervisor.converge('shop', want(NEXT), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'cancelled',
    });

  test('the applied spec is kept, and restored after an event', async () => {
    const { supervisor, engine, state } = broken();
    state.fixed = true;
    supervisor.watch('shop', want(spec()));
    await vi.advanceTimersByTimeAsync(0);
    await cancelled(supervisor);
    engine.crash('shop');
    supervisor.notify('shop');
    await vi.advanceTimersByTimeAsync(LONG_MS);
    expect([engine.world.get('shop')?.applied, state.tries]).toEqual([spec(), 2]);
  });

  test('a sandbox that was never applied is not made in the background', async () => {
    const engine = new TestEngine();
    const supervisor = new Supervisor({ engine, concurrency: 1, attempts: ATTEMPTS });
    await cancelled(supervisor);
    supervisor.notify('shop');
    await vi.advanceTimersByTimeAsync(LONG_MS);
    expect(engine.done).toEqual([]);
    await supervisor.converge('shop', want(NEXT));
    expect(engine.world.get('shop')?.applied).toEqual(NEXT);
  });
});
