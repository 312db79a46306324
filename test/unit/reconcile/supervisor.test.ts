import { describe, expect, test, vi } from 'vitest';
import { createActor, SimulatedClock } from 'xstate';
import { getAdjacencyMap } from 'xstate/graph';
import { SbxError } from '../../../lib/errors.ts';
import type { Plan } from '../../../lib/plan/types.ts';
import {
  backoffAfter,
  type SandboxEvent,
  type SandboxInput,
  sandboxMachine,
} from '../../../lib/reconcile/sandbox-machine.ts';
import { type StepEvent, Supervisor } from '../../../lib/reconcile/supervisor.ts';
import type { SandboxSpec } from '../../../lib/spec/spec.ts';
import { spec, want } from '../plan/spec.ts';
import { TestEngine, type TestEngineOptions } from './test-engine.ts';

const NOTHING: Plan = { changes: [], steps: [] };
const SOMETHING: Plan = { changes: [], steps: [{ action: 'stop', sandbox: 'shop' }] };

function input(change: Partial<SandboxInput> = {}): SandboxInput {
  return { plan: async () => NOTHING, execute: async () => {}, isTransient: () => true, attempts: 3, ...change };
}

describe('the machine of a sandbox', () => {
  test('has these transitions and no others', () => {
    const events = [
      { type: 'RESYNC' },
      { type: 'NOTIFY' },
      { type: 'SET_TARGET' },
      { type: 'STOP' },
      { type: 'xstate.done.actor.0.sandbox.observing', output: NOTHING },
      { type: 'xstate.done.actor.0.sandbox.observing', output: SOMETHING },
      { type: 'xstate.error.actor.0.sandbox.observing', error: new Error('x') },
      { type: 'xstate.done.actor.0.sandbox.working', output: undefined },
      { type: 'xstate.error.actor.0.sandbox.working', error: new Error('x') },
      { type: 'xstate.after.delay.sandbox.backoff' },
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
        ""backoff" SET_TARGET "observing"",
        ""backoff" STOP "stopped"",
        ""backoff" after "observing"",
        ""observing" STOP "stopped"",
        ""observing" done:converged "settled"",
        ""observing" done:steps {"working":"applying"}",
        ""observing" error "backoff"",
        ""settled" NOTIFY "observing"",
        ""settled" RESYNC "observing"",
        ""settled" SET_TARGET "observing"",
        ""settled" STOP "stopped"",
        "{"working":"applying"} SET_TARGET {"working":"draining"}",
        "{"working":"applying"} STOP {"working":"stopping"}",
        "{"working":"applying"} done "observing"",
        "{"working":"applying"} error "backoff"",
        "{"working":"draining"} STOP {"working":"stopping"}",
        "{"working":"draining"} done "observing"",
        "{"working":"draining"} error "observing"",
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
    actor.send({ type: 'NOTIFY' });
    for (let failures = 1; failures < 3; failures += 1) {
      await new Promise((done) => setImmediate(done));
      expect([actor.getSnapshot().value, looks]).toEqual(['backoff', failures]);
      clock.increment(backoffAfter(failures));
    }
    await new Promise((done) => setImmediate(done));
    expect([actor.getSnapshot().value, looks]).toEqual(['halted', 3]);
    actor.send({ type: 'NOTIFY' });
    await new Promise((done) => setImmediate(done));
    expect(looks).toBe(4);
    actor.stop();
  });
});

/** A supervisor over the test engine. `work` runs in each step. */
function world(options: TestEngineOptions = {}) {
  const engine = new TestEngine(options);
  const supervisor = new Supervisor({ engine, concurrency: 2, attempts: 3 });
  return { supervisor, engine, done: engine.done };
}

const slowly = (ms: number) => ({ work: () => new Promise<void>((resolve) => setTimeout(resolve, ms)) });
const shop = (change: Partial<SandboxSpec> = {}) => want(spec(change));

describe('the supervisor', () => {
  test('converges, reports each step, and finds nothing to do the second time', async () => {
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
  });

  test.each([
    ['off', want(spec(), { power: 'off' }), ['stop shop']],
    ['restarted', want(spec(), { boot: 2 }), ['stop shop', 'start shop']],
    ['reset', want(spec(), { generation: 2 }), ['build shop', 'create shop', 'record shop']],
    ['removed', want(undefined), ['destroy shop']],
  ])('a running sandbox that is to be %s is brought there once', async (_, desired, steps) => {
    const { supervisor, done } = world();
    await supervisor.converge('shop', shop());
    done.splice(0);
    await supervisor.converge('shop', desired);
    await supervisor.converge('shop', desired);
    expect(done).toEqual(steps);
  });

  test('a removed sandbox is forgotten', async () => {
    const { supervisor, engine } = world();
    await supervisor.converge('shop', shop());
    await supervisor.converge('shop', want(undefined));
    engine.observed.splice(0);
    supervisor.notify('shop');
    await TICK();
    expect(engine.observed).toEqual([]);
  });

  test('a failed step is reported to the caller, by its name, and the next call continues from there', async () => {
    let broken = true;
    const { supervisor, done } = world({
      work: ({ action }) => {
        if (broken && action === 'create') throw new SbxError('vm-restore-failed', 'no');
      },
    });
    await expect(supervisor.converge('shop', shop())).rejects.toMatchObject({
      code: 'vm-restore-failed',
      step: { action: 'create', sandbox: 'shop' },
    });
    broken = false;
    await supervisor.converge('shop', shop());
    expect(done.slice(-2)).toEqual(['create shop', 'record shop']);
  });

  test('an abort ends the work at a safe point; the next call finishes it', async () => {
    const { supervisor, done } = world(slowly(30));
    const abort = new AbortController();
    const work = supervisor.converge('shop', shop(), {
      signal: abort.signal,
      onStep: ({ step, status }) => step.action === 'build' && status === 'done' && abort.abort(),
    });
    await expect(work).rejects.toMatchObject({ code: 'cancelled' });
    await supervisor.converge('shop', shop());
    expect(done.slice(-2)).toEqual(['create shop', 'record shop']);
  });

  test('two callers with one desired state share the work; a newer one wins', async () => {
    const { supervisor, done, engine } = world(slowly(10));
    await Promise.all([supervisor.converge('shop', shop()), supervisor.converge('shop', shop())]);
    expect(done.filter((one) => one === 'create shop')).toHaveLength(1);
    const newer = shop({ env: { A: '2' } });
    await Promise.all([supervisor.converge('shop', shop({ env: { A: '1' } })), supervisor.converge('shop', newer)]);
    expect(engine.world.get('shop')?.applied?.env).toEqual({ A: '2' });
  });

  test('in the background a VM that ended is started again', async () => {
    const { supervisor, engine, done } = world();
    await supervisor.converge('shop', shop());
    engine.crash('shop');
    supervisor.notify('shop');
    await vi.waitFor(() => expect(done).toContain('start shop'));
    await supervisor.stop();
    expect(engine.world.get('shop')?.running).toBe(true);
  });

  test('heavy steps wait for a slot', async () => {
    const { supervisor } = world(slowly(10));
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

const TICK = () => new Promise((resolve) => setImmediate(resolve));
