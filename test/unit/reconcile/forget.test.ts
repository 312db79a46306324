import { describe, expect, test, vi } from 'vitest';
import { createSupervisor, type SupervisorDeps } from '../../../lib/reconcile/supervisor.ts';
import { spec } from '../plan/spec.ts';

const TICK = () => new Promise((resolve) => setImmediate(resolve));

/** Every sandbox is to be started until its start was done. `work` is what a start does. */
function starting(work: SupervisorDeps['execute'], concurrency = 1) {
  const log: string[] = [];
  const up = new Set<string>();
  const supervisor = createSupervisor({
    plan: async (id) => {
      log.push(`look ${id}`);
      return { changes: [], steps: up.has(id) ? [] : [{ action: 'start', sandbox: id, spec: spec() }] };
    },
    execute: async (id, step, signal) => {
      log.push(`start ${id}`);
      await work(id, step, signal);
      log.push(`up ${id}`);
      up.add(id);
    },
    concurrency,
    attempts: 5,
  });
  return { supervisor, log, has: (entry: string) => vi.waitFor(() => expect(log).toContain(entry)) };
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

describe('a sandbox that is forgotten', () => {
  test('is not started by what still waited for its turn, and need not wait for that turn', async () => {
    const other = gate();
    const { supervisor, log, has } = starting((id) => (id === 'other' ? other.passed : Promise.resolve()));
    supervisor.watch('other', spec());
    await has('start other');
    supervisor.watch('shop', spec());
    await has('look shop');
    await TICK();
    await supervisor.forget('shop');
    expect(log).not.toContain('up other');
    other.open();
    await has('up other');
    await supervisor.converge('last', spec());
    await supervisor.stop();
    expect(log).not.toContain('start shop');
  });

  test('is left only when the step under way, which hears of it, has ended', async () => {
    const ended = gate();
    let reason: unknown;
    const { supervisor, log, has } = starting(async (_id, _step, signal) => {
      await untilAborted(signal);
      reason = signal.reason;
      log.push('aborted');
      await ended.passed;
      signal.throwIfAborted();
    });
    supervisor.watch('shop', spec());
    await has('start shop');
    const forgotten = Promise.resolve(supervisor.forget('shop')).then(() => log.push('forgotten'));
    await has('aborted');
    await TICK();
    expect(log).not.toContain('forgotten');
    ended.open();
    await forgotten;
    expect(reason).toMatchObject({ code: 'cancelled' });
    expect(log).toEqual(['look shop', 'start shop', 'aborted', 'forgotten']);
  });

  test('refuses who waited for it', async () => {
    const { supervisor, has } = starting((_id, _step, signal) => untilAborted(signal));
    const waiting = expect(supervisor.converge('shop', spec())).rejects.toMatchObject({ code: 'cancelled' });
    await has('start shop');
    await supervisor.forget('shop');
    await waiting;
  });

  test('can be watched and converged anew, by work that nothing has aborted', async () => {
    const signals: AbortSignal[] = [];
    const { supervisor, has } = starting(async (_id, _step, signal) => {
      if (signals.push(signal) === 1) await untilAborted(signal);
      signal.throwIfAborted();
    });
    supervisor.watch('shop', spec());
    await has('start shop');
    await supervisor.forget('shop');
    supervisor.watch('shop', spec());
    await has('up shop');
    await supervisor.converge('shop', spec());
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    await supervisor.stop();
  });

  test('was unknown: nothing to wait for', async () => {
    await expect(starting(async () => {}).supervisor.forget('shop')).resolves.toBeUndefined();
  });
});

describe('the end of the supervisor', () => {
  test('waits for the steps under way, the light ones too, and starts none of those that wait', async () => {
    const log: string[] = [];
    const supervisor = createSupervisor({
      plan: async (id) => ({
        changes: [],
        steps: [id === 'light' ? { action: 'stop', sandbox: id } : { action: 'start', sandbox: id, spec: spec() }],
      }),
      execute: async (id, _step, signal) => {
        log.push(`begin ${id}`);
        await untilAborted(signal);
        await TICK();
        log.push(`end ${id}`);
      },
      concurrency: 1,
      attempts: 5,
    });
    for (const id of ['light', 'heavy', 'queued']) supervisor.watch(id, spec());
    await vi.waitFor(() => expect(log).toEqual(['begin light', 'begin heavy']));
    await supervisor.stop();
    expect(log).toEqual(['begin light', 'begin heavy', 'end light', 'end heavy']);
  });
});
