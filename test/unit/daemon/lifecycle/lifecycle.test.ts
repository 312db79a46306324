/** Each request changes the desired state first; what a killed daemon leaves undone, the next one does. */
import { describe, expect, test, vi } from 'vitest';
import type { DaemonEvent } from '../../../../lib/api/contract.ts';
import type { Control } from '../../../../lib/daemon/control/control.ts';
import { removeIn, resetIn, restartIn, startIn, stopIdle, stopIn } from '../../../../lib/daemon/lifecycle/lifecycle.ts';
import { watchAll } from '../../../../lib/daemon/service.ts';
import type { TestEngineOptions } from '../../reconcile/test-engine.ts';
import { CONTEXT, ID, type Rig, rig, SPEC } from '../control/rig.ts';

/** The user has agreed to what a verb loses */
const AGREED = { ...CONTEXT, confirmed: true };

const never = () => new Promise<void>(() => {});

describe('a request', () => {
  test('to stop is written down before the VM is stopped', async () => {
    let written: unknown;
    await using shop = await rig({
      work: () => {
        written = shop.records.require(ID).desired;
      },
    });
    const status = await stopIn(shop.control, ID, AGREED);
    expect(written).toMatchObject({ power: 'off', stoppedBy: 'user' });
    expect([shop.engine.done, status.state]).toEqual([[`stop ${ID}`], 'stopped']);
    shop.supervisor.notify(ID);
    await TICK();
    expect(shop.engine.done).toEqual([`stop ${ID}`]);
  });

  test('to start what runs changes nothing; what is stopped starts', async () => {
    await using shop = await rig();
    await startIn(shop.control, ID, AGREED);
    expect(shop.engine.done).toEqual([]);
    await stopIn(shop.control, ID, AGREED);
    await startIn(shop.control, ID, AGREED);
    expect(shop.engine.done).toEqual([`stop ${ID}`, `start ${ID}`]);
    expect(shop.records.require(ID).desired).toMatchObject({ power: 'on', stoppedBy: null });
  });

  test('to restart boots again; a second one once more', async () => {
    await using shop = await rig();
    await restartIn(shop.control, ID, AGREED);
    await restartIn(shop.control, ID, AGREED);
    expect(shop.engine.done).toEqual([`stop ${ID}`, `start ${ID}`, `stop ${ID}`, `start ${ID}`]);
  });

  test('to reset clones again, also a stopped one', async () => {
    await using shop = await rig();
    await stopIn(shop.control, ID, AGREED);
    const status = await resetIn(shop.control, ID, AGREED);
    expect(shop.engine.done).toEqual([`stop ${ID}`, `build ${ID}`, `create ${ID}`, `record ${ID}`]);
    expect(status.state).toBe('running');
  });

  test('to remove leaves nothing', async () => {
    await using shop = await rig();
    await removeIn(shop.control, ID, AGREED);
    expect([shop.engine.world.has(ID), shop.records.get(ID)]).toEqual([false, undefined]);
  });

  test.each([
    ['a reset', resetIn, 'build'],
    ['a removal', removeIn, 'destroy'],
  ])('%s that fails is taken back', async (_, ask, action) => {
    await using shop = await rig({
      work: (step) => {
        if (step.action === action) throw new Error('no space');
      },
    });
    const before = shop.records.require(ID);
    await expect(ask(shop.control, ID, AGREED)).rejects.toMatchObject({ message: 'no space', step: { action } });
    expect(shop.records.require(ID)).toEqual(before);
    shop.supervisor.notify(ID);
    await TICK();
    expect(shop.engine.done).toEqual([]);
    expect(shop.engine.world.get(ID)?.running).toBe(true);
  });

  test('to reset after a reset that was cut off behind its create clones again', async () => {
    let broken = true;
    await using shop = await rig({
      work: ({ action }) => {
        if (broken && action === 'record') throw new Error('no space');
      },
    });
    await expect(resetIn(shop.control, ID, AGREED)).rejects.toThrow('no space');
    expect(shop.engine.done).toEqual([`build ${ID}`, `create ${ID}`]);
    broken = false;
    await resetIn(shop.control, ID, AGREED);
    expect(shop.engine.done.slice(2)).toEqual([`build ${ID}`, `create ${ID}`, `record ${ID}`]);
  });

  test('for a sandbox whose first apply did not finish: it can be stopped and removed, not started', async () => {
    await using shop = await rig();
    await shop.records.update(ID, { applied: null });
    for (const ask of [startIn, restartIn, resetIn])
      await expect(ask(shop.control, ID, AGREED)).rejects.toMatchObject({ code: 'busy' });
    await stopIn(shop.control, ID, AGREED);
    await removeIn(shop.control, ID, AGREED);
    expect(shop.engine.done).toEqual([`stop ${ID}`, `destroy ${ID}`]);
  });
});

type Ask = (control: Control, id: string, context: typeof AGREED) => Promise<unknown>;

/** `kill -9` of the daemon when `action` begins, or (undefined) when the request was written down. */
async function killedAt(ask: Ask, action: string | undefined, prepare: Ask = async () => {}): Promise<Rig> {
  let reached = () => {};
  const begun = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const options: TestEngineOptions = {};
  const shop = await rig({ work: (step, context) => options.work?.(step, context) });
  await prepare(shop.control, ID, AGREED);
  options.work = (step) => {
    if (action !== undefined && step.action !== action) return;
    reached();
    return never();
  };
  ask(shop.control, ID, AGREED).catch(() => {});
  await begun;
  return shop;
}

describe('a daemon that is killed within', () => {
  test.each<[string, Ask, string | undefined, Ask | undefined, (shop: Rig) => boolean]>([
    ['a stop', stopIn, 'stop', undefined, ({ engine }) => engine.world.get(ID)?.running === false],
    ['a start', startIn, 'start', stopIn, ({ engine }) => engine.world.get(ID)?.running === true],
    ['a restart, at its stop', restartIn, 'stop', undefined, ({ engine }) => engine.world.get(ID)?.boot === 2],
    ['a restart, at its start', restartIn, 'start', undefined, ({ engine }) => engine.world.get(ID)?.boot === 2],
    ['a reset, at its build', resetIn, 'build', undefined, ({ engine }) => engine.world.get(ID)?.generation === 2],
    ['a reset, at its create', resetIn, 'create', undefined, ({ engine }) => engine.world.get(ID)?.generation === 2],
    ['a removal', removeIn, 'destroy', undefined, ({ engine, records }) => !engine.world.has(ID) && !records.get(ID)],
  ])('%s: the next one finishes it', async (_, ask, action, prepare, isDone) => {
    const killed = await killedAt(ask, action, prepare);
    await using next = killed.nextDaemon();
    expect(isDone(next)).toBe(false);
    watchAll(next.records, next.supervisor);
    await vi.waitFor(() => expect([isDone(next), next.supervisor.busy(ID)]).toEqual([true, false]));
    const done = [...next.engine.done];
    next.supervisor.notify(ID);
    await TICK();
    expect(next.engine.done).toEqual(done);
  });

  test('a first apply: the next one does nothing of its own, the next apply finishes it', async () => {
    const killed = await rig();
    await killed.records.update(ID, { applied: null });
    await using next = killed.nextDaemon();
    watchAll(next.records, next.supervisor);
    await TICK();
    expect(next.engine.done).toEqual([]);
  });
});

describe('while it is started in the background', () => {
  async function whileStarting() {
    const log: string[] = [];
    const shop = await rig({
      async work({ action }, { signal }) {
        log.push(action);
        if (action !== 'start') return;
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        await TICK();
        log.push('start ended');
        signal.throwIfAborted();
      },
    });
    shop.engine.crash(ID);
    watchAll(shop.records, shop.supervisor);
    await vi.waitFor(() => expect(log).toEqual(['start']));
    return { shop, log };
  }

  test('a sandbox is stopped after that start has ended, and stays so', async () => {
    const { shop, log } = await whileStarting();
    await using _shop = shop;
    const status = await stopIn(shop.control, ID, AGREED);
    expect(log).toEqual(['start', 'start ended']);
    expect(status.state).toBe('stopped');
  });

  test.each([
    ['stop', stopIn],
    ['reset', resetIn],
    ['remove', removeIn],
  ])('a request to %s reports that it waits for that start, before it has ended', async (_, ask) => {
    const { shop, log } = await whileStarting();
    await using _shop = shop;
    const events: DaemonEvent[] = [];
    const emit = (event: DaemonEvent) => {
      if (events.push(event) === 1) log.push('reported');
    };
    await ask(shop.control, ID, { ...AGREED, emit });
    expect(log.slice(0, 3)).toEqual(['start', 'reported', 'start ended']);
    expect(events[0]).toEqual({ type: 'progress', sandbox: 'shop', message: 'waiting for the step under way' });
  });
});

test('a request that waits for another one of the project reports it', async () => {
  await using shop = await rig();
  let free = () => {};
  const held = shop.control.mutex.take(
    '/project',
    () =>
      new Promise<void>((resolve) => {
        free = resolve;
      }),
  );
  const events: DaemonEvent[] = [];
  const stopping = stopIn(shop.control, ID, { ...AGREED, emit: (event) => void events.push(event) });
  expect(events).toEqual([
    { type: 'progress', sandbox: 'shop', message: 'waiting for another request of this project' },
  ]);
  await TICK();
  free();
  await Promise.all([held, stopping]);
  expect(shop.engine.done).toEqual([`stop ${ID}`]);
});

describe('an idle sandbox', () => {
  test('is stopped when its turn comes, and stays so', async () => {
    await using shop = await rig();
    await stopIdle(shop.control, ID, () => true);
    expect(shop.records.require(ID).desired).toMatchObject({ power: 'off', stoppedBy: 'idle' });
    expect(shop.engine.done).toEqual([`stop ${ID}`]);
  });

  test('that is used before its turn comes keeps running', async () => {
    await using shop = await rig();
    let idle = true;
    let free = () => {};
    const held = new Promise<void>((resolve) => {
      free = resolve;
    });
    const before = shop.control.mutex.take('/project', () => held);
    const stopping = stopIdle(shop.control, ID, () => idle);
    idle = false;
    free();
    await Promise.all([before, stopping]);
    expect([shop.records.require(ID).desired.power, shop.engine.done]).toEqual(['on', []]);
  });
});

test('the applied spec is what a request brings back, not a file that was not applied', async () => {
  await using shop = await rig();
  await shop.records.update(ID, { target: { ...SPEC, env: { NEXT: '1' } } });
  await restartIn(shop.control, ID, AGREED);
  expect(shop.engine.world.get(ID)?.applied).toEqual(SPEC);
});

function TICK() {
  return new Promise((resolve) => setTimeout(resolve, 20));
}
