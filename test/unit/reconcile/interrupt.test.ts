/** What a request does to work that runs in the background. */
import { describe, expect, test, vi } from 'vitest';
import { Supervisor } from '../../../lib/reconcile/supervisor.ts';
import { spec, want } from '../plan/spec.ts';
import { TestEngine, type TestEngineOptions } from './test-engine.ts';

const TICK = () => new Promise((resolve) => setImmediate(resolve));

/** Sandboxes that were applied and whose VMs have ended: each is to be started. `work` is what a start does. */
function starting(work: NonNullable<TestEngineOptions['work']>, concurrency = 1) {
  const log: string[] = [];
  const engine = new TestEngine({
    async work(step, context) {
      log.push(`${step.action} ${context.id}`);
      if (step.action === 'start') await work(step, context);
      log.push(`${step.action} ${context.id} done`);
    },
  });
  const supervisor = new Supervisor({ engine, concurrency, attempts: 5 });
  const ended = (id: string) => {
    engine.world.set(id, {
      ...{ name: id, exists: true, applied: spec(), running: false, ready: false, power: 'on', generation: 1, boot: 1 },
      ...{ exit: undefined, networkHash: undefined, warmKey: undefined },
    });
    supervisor.watch(id, want(spec()));
  };
  return { supervisor, engine, log, ended, has: (entry: string) => vi.waitFor(() => expect(log).toContain(entry)) };
}

function gate() {
  let open = () => {};
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, passed };
}

const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

describe('a request that interrupts', () => {
  test('removes a step that still waits for a slot, and does not wait for that slot', async () => {
    const other = gate();
    const { supervisor, log, engine, ended, has } = starting((_step, { id }) =>
      id === 'other' ? other.passed : Promise.resolve(),
    );
    ended('other');
    await has('start other');
    ended('shop');
    await vi.waitFor(() => expect(supervisor.busy('shop')).toBe(true));
    await supervisor.converge('shop', want(undefined), { interrupt: true });
    expect(engine.world.has('shop')).toBe(false);
    expect(log).not.toContain('start other done');
    other.open();
    await has('start other done');
    await supervisor.stop();
    expect(log).not.toContain('start shop');
  });

  test('aborts the step under way and runs its own only after that one has ended', async () => {
    const end = gate();
    let reason: unknown;
    const { supervisor, log, ended, has } = starting(async (_step, { signal }) => {
      await untilAborted(signal);
      reason = signal.reason;
      log.push('aborted');
      await end.passed;
      signal.throwIfAborted();
    });
    ended('shop');
    await has('start shop');
    const stopped = supervisor.converge('shop', want(undefined), { interrupt: true });
    await has('aborted');
    await TICK();
    expect(log).not.toContain('destroy shop');
    end.open();
    await stopped;
    expect(reason).toMatchObject({ code: 'cancelled' });
    expect(log).toEqual(['start shop', 'aborted', 'destroy shop', 'destroy shop done']);
  });

  test('leaves later work unaborted', async () => {
    const signals: AbortSignal[] = [];
    const { supervisor, ended, has } = starting(async (_step, { signal }) => {
      if (signals.push(signal) === 1) await untilAborted(signal);
      signal.throwIfAborted();
    });
    ended('shop');
    await has('start shop');
    await supervisor.converge('shop', want(spec(), { power: 'off' }), { interrupt: true });
    await supervisor.converge('shop', want(spec()));
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    await supervisor.stop();
  });
});

test('a request that does not interrupt lets the step under way finish', async () => {
  const end = gate();
  const { supervisor, log, ended, has } = starting(() => end.passed);
  ended('shop');
  await has('start shop');
  const done = supervisor.converge('shop', want(spec()));
  await TICK();
  end.open();
  await done;
  expect(log).toEqual(['start shop', 'start shop done']);
  await supervisor.stop();
});

describe('the end of the supervisor', () => {
  test('waits for the steps under way, the light ones too, and starts none of those that wait', async () => {
    const log: string[] = [];
    const engine = new TestEngine({
      async work(_step, { id, signal }) {
        log.push(`begin ${id}`);
        await untilAborted(signal);
        await TICK();
        log.push(`end ${id}`);
      },
    });
    const supervisor = new Supervisor({ engine, concurrency: 1, attempts: 5 });
    for (const id of ['light', 'heavy', 'queued']) {
      await engine.observe(id);
      const running = id === 'light';
      engine.world.set(id, {
        ...{ name: id, exists: true, applied: spec(), running, ready: running, power: 'on', generation: 1, boot: 1 },
        ...{ exit: undefined, networkHash: undefined, warmKey: undefined },
      });
      supervisor.watch(id, want(spec(), { power: running ? 'off' : 'on' }));
    }
    await vi.waitFor(() => expect(log).toEqual(['begin light', 'begin heavy']));
    await supervisor.stop();
    expect(log).toEqual(['begin light', 'begin heavy', 'end light', 'end heavy']);
  });

  test('rejects callers that wait', async () => {
    const { supervisor, ended, has } = starting((_step, { signal }) => untilAborted(signal));
    ended('shop');
    const waiting = expect(supervisor.converge('shop', want(spec()))).rejects.toMatchObject({ code: 'cancelled' });
    await has('start shop');
    await supervisor.stop();
    await waiting;
  });
});
