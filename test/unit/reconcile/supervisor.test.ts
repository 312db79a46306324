import { describe, expect, test } from 'vitest';
import { createActor, SimulatedClock } from 'xstate';
import { getAdjacencyMap } from 'xstate/graph';
import { SbxError } from '../../../lib/errors.ts';
import { absent, planSandbox } from '../../../lib/plan/plan.ts';
import type { ObservedSandbox, Plan, Step } from '../../../lib/plan/types.ts';
import {
  pauseAfter,
  type SandboxEvent,
  type SandboxInput,
  sandboxMachine,
} from '../../../lib/reconcile/sandbox-machine.ts';
import { createSupervisor, type StepEvent } from '../../../lib/reconcile/supervisor.ts';
import type { SandboxSpec } from '../../../lib/spec/spec.ts';
import { hash, running, spec } from '../plan/spec.ts';

const NOTHING: Plan = { changes: [], steps: [] };
const SOMETHING: Plan = { changes: [], steps: [{ action: 'stop', sandbox: 'shop' }] };

function input(change: Partial<SandboxInput> = {}): SandboxInput {
  return { plan: async () => NOTHING, execute: async () => {}, isTransient: () => true, attempts: 3, ...change };
}

describe('the machine of a sandbox', () => {
  test('has these transitions and no others', () => {
    const events = [
      { type: 'LOOK' },
      { type: 'POKE' },
      { type: 'RETARGET' },
      { type: 'STOP' },
      { type: 'xstate.done.actor.0.sandbox.observing', output: NOTHING },
      { type: 'xstate.done.actor.0.sandbox.observing', output: SOMETHING },
      { type: 'xstate.error.actor.0.sandbox.observing', error: new Error('x') },
      { type: 'xstate.done.actor.0.sandbox.working', output: undefined },
      { type: 'xstate.error.actor.0.sandbox.working', error: new Error('x') },
      { type: 'xstate.after.pause.sandbox.pausing' },
    ] as unknown as SandboxEvent[];
    const map = getAdjacencyMap(sandboxMachine, {
      input: input(),
      events,
      serializeState: (state) => JSON.stringify(state.value),
    });
    const name = (event: { type: string; output?: Plan }) =>
      event.type.replace(/^xstate\.(\w+)\..*$/, '$1') +
      (event.output === undefined ? '' : event.output.steps.length === 0 ? ':converged' : ':steps');
    type Entry = {
      state: { value: unknown };
      transitions: Record<string, { event: { type: string; output?: Plan }; state: { value: unknown } }>;
    };
    const rows = (Object.values(map) as unknown as Entry[]).flatMap(({ state, transitions }) =>
      Object.values(transitions).map(
        ({ event, state: next }) => `${JSON.stringify(state.value)} ${name(event)} ${JSON.stringify(next.value)}`,
      ),
    );
    expect(
      [...new Set(rows.filter((row) => row.split(' ')[0] !== row.split(' ')[2]))].toSorted(),
    ).toMatchInlineSnapshot(`
      [
        ""observing" STOP "stopped"",
        ""observing" done:converged "settled"",
        ""observing" done:steps {"working":"applying"}",
        ""observing" error "pausing"",
        ""pausing" RETARGET "observing"",
        ""pausing" STOP "stopped"",
        ""pausing" after "observing"",
        ""settled" LOOK "observing"",
        ""settled" POKE "observing"",
        ""settled" RETARGET "observing"",
        ""settled" STOP "stopped"",
        "{"working":"applying"} RETARGET {"working":"draining"}",
        "{"working":"applying"} STOP {"working":"stopping"}",
        "{"working":"applying"} done "observing"",
        "{"working":"applying"} error "pausing"",
        "{"working":"draining"} STOP {"working":"stopping"}",
        "{"working":"draining"} done "observing"",
        "{"working":"draining"} error "pausing"",
        "{"working":"stopping"} done "stopped"",
        "{"working":"stopping"} error "stopped"",
      ]
    `);
  });

  test('pauses longer after each failure in a row, then is left alone until asked', async () => {
    const clock = new SimulatedClock();
    let looks = 0;
    const failing = input({
      plan: async () => {
        looks += 1;
        throw new Error('no luck');
      },
    });
    const actor = createActor(sandboxMachine, { input: failing, clock });
    actor.subscribe({ error: () => {} });
    actor.start();
    actor.send({ type: 'POKE' });
    for (let failures = 1; failures < 3; failures += 1) {
      await new Promise((done) => setImmediate(done));
      expect([actor.getSnapshot().value, looks]).toEqual(['pausing', failures]);
      clock.increment(pauseAfter(failures));
    }
    await new Promise((done) => setImmediate(done));
    expect([actor.getSnapshot().value, looks]).toEqual(['stuck', 3]);
    actor.send({ type: 'POKE' });
    await new Promise((done) => setImmediate(done));
    expect(looks).toBe(4);
    actor.stop();
  });
});

/** A world of plain data that the steps change. */
function world(options: { fail?: (step: Step) => Error | undefined; slow?: number } = {}) {
  const state = new Map<string, ObservedSandbox>();
  const done: string[] = [];
  const observed = (id: string) => state.get(id) ?? absent(id);
  const supervisor = createSupervisor({
    plan: async (id, target, mode) => planSandbox(target, observed(id), { mode, networkHash: hash }),
    execute: async (id, step) => {
      if (options.slow !== undefined) await new Promise((resolve) => setTimeout(resolve, options.slow));
      const error = options.fail?.(step);
      if (error !== undefined) throw error;
      done.push(`${step.action} ${id}`);
      if (step.action === 'create' || step.action === 'start')
        state.set(id, { ...running(step.spec), applied: observed(id).applied });
      if (step.action === 'record')
        state.set(id, { ...observed(id), applied: step.spec, networkHash: hash(step.spec) });
      if (step.action === 'destroy') state.delete(id);
      if (step.action === 'stop') state.set(id, { ...observed(id), running: false, ready: false });
    },
    concurrency: 2,
    attempts: 3,
  });
  return { supervisor, state, done };
}

const shop = (change: Partial<SandboxSpec> = {}) => spec(change);

describe('the supervisor', () => {
  test('converges, tells each step, and finds nothing to do the second time', async () => {
    const { supervisor, done } = world();
    const events: StepEvent[] = [];
    await supervisor.converge('shop', shop(), { onStep: (event) => events.push(event) });
    await supervisor.converge('shop', shop());
    expect(done).toEqual(['build shop', 'create shop', 'record shop']);
    expect(events.map(({ step, status }) => `${step.action} ${status}`)).toEqual([
      'build started',
      'build done',
      'create started',
      'create done',
      'record started',
      'record done',
    ]);
    await supervisor.converge('shop', undefined);
    expect(done.at(-1)).toBe('destroy shop');
  });

  test('a failed step is told to who waits, and the next call goes on from there', async () => {
    let broken = true;
    const { supervisor, done } = world({
      fail: (step) => (broken && step.action === 'create' ? new SbxError('vm-restore-failed', 'no') : undefined),
    });
    await expect(supervisor.converge('shop', shop())).rejects.toMatchObject({ code: 'vm-restore-failed' });
    broken = false;
    await supervisor.converge('shop', shop());
    expect(done.slice(-2)).toEqual(['create shop', 'record shop']);
  });

  test('an abort ends the work at a safe point; the next call finishes it', async () => {
    const { supervisor, done } = world({ slow: 30 });
    const abort = new AbortController();
    const work = supervisor.converge('shop', shop(), {
      signal: abort.signal,
      onStep: ({ step, status }) => step.action === 'build' && status === 'done' && abort.abort(),
    });
    await expect(work).rejects.toMatchObject({ code: 'cancelled' });
    await supervisor.converge('shop', shop());
    expect(done.slice(-2)).toEqual(['create shop', 'record shop']);
  });

  test('two callers with one target share the work; a newer target wins', async () => {
    const { supervisor, done, state } = world({ slow: 10 });
    await Promise.all([supervisor.converge('shop', shop()), supervisor.converge('shop', shop())]);
    expect(done.filter((one) => one === 'create shop')).toHaveLength(1);
    const newer = shop({ env: { A: '2' } });
    await Promise.all([supervisor.converge('shop', shop({ env: { A: '1' } })), supervisor.converge('shop', newer)]);
    expect(state.get('shop')?.applied?.env).toEqual({ A: '2' });
  });

  test('in the background a machine that ended is started again', async () => {
    const { supervisor, state, done } = world();
    await supervisor.converge('shop', shop());
    supervisor.watch('shop', shop());
    state.set('shop', { ...running(shop()), running: false, ready: false });
    supervisor.poke('shop');
    while (!done.includes('start shop')) await new Promise((resolve) => setTimeout(resolve, 5));
    await supervisor.stop();
    expect(state.get('shop')?.running).toBe(true);
  });

  test('heavy steps wait for their turn', async () => {
    const { supervisor } = world({ slow: 10 });
    const waiting: string[] = [];
    await Promise.all(
      ['a', 'b', 'c', 'd'].map((id) =>
        supervisor.converge(id, shop({ name: id }), {
          onStep: ({ step, status }) => status === 'waiting' && waiting.push(step.sandbox),
        }),
      ),
    );
    expect(waiting.length).toBeGreaterThan(0);
  });
});
