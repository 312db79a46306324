import { describe, expect, test, vi } from 'vitest';
import { removeIn, resetIn, startIn, stopIdle, stopIn, suspendIn } from '../../../../lib/daemon/lifecycle/lifecycle.ts';
import { watchAll } from '../../../../lib/daemon/service.ts';
import { running, spec } from '../../plan/spec.ts';
import { CONTEXT, ID, rig, SPEC } from '../control/rig.ts';

const SIZE = { cpus: SPEC.resources.cpus, memoryBytes: SPEC.resources.memoryBytes };
const AGREED = { ...CONTEXT, confirmed: true };
const never = () => new Promise<void>(() => {});

async function withSize(...options: Parameters<typeof rig>) {
  const shop = await rig(...options);
  shop.engine.world.set(ID, running(SPEC, { size: SIZE }));
  return shop;
}

describe('a request to suspend', () => {
  test('is written down before anything is done; nothing is asked, since nothing ends', async () => {
    let written: unknown;
    await using shop = await withSize({
      work: () => {
        written ??= shop.records.require(ID).desired;
      },
    });
    const status = await suspendIn(shop.control, ID, CONTEXT);
    expect(written).toMatchObject({ power: 'suspended', stoppedBy: 'user' });
    expect([shop.engine.done, status.state]).toEqual([[`suspend ${ID}`], 'suspended']);
    expect(status.suspended).not.toBeNull();
    expect(status.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', reason: 'Suspended' }));
  });

  test('leaves one alone that does not run', async () => {
    await using shop = await withSize();
    await stopIn(shop.control, ID, AGREED);
    expect((await suspendIn(shop.control, ID, CONTEXT)).state).toBe('stopped');
    expect(shop.records.require(ID).desired.power).toBe('off');
  });

  test('asks while a command of a client runs: its connection is cut off', async () => {
    await using shop = await withSize();
    using _work = shop.control.activity.work(ID);
    await expect(suspendIn(shop.control, ID, CONTEXT)).rejects.toMatchObject({ code: 'needs-confirmation' });
    expect(shop.engine.done).toEqual([]);
    await suspendIn(shop.control, ID, AGREED);
    expect(shop.engine.done).toEqual([`suspend ${ID}`]);
  });

  test('of an idle sandbox follows its idle_action', async () => {
    await using shop = await withSize();
    const idle = { restart: 'always', idleSeconds: 1, idleAction: 'suspend', pool: 0 } as const;
    await shop.records.update(ID, { applied: spec({ lifecycle: idle }) });
    await stopIdle(shop.control, ID, () => true);
    expect(shop.records.require(ID).desired).toMatchObject({ power: 'suspended', stoppedBy: 'idle' });
    expect(shop.engine.done).toEqual([`suspend ${ID}`]);
  });

  test('that fails leaves it running, and is tried again in the background', async () => {
    let broken = true;
    await using shop = await withSize({
      work: ({ action }) => {
        if (broken && action === 'suspend') throw new Error('no space');
      },
    });
    await expect(suspendIn(shop.control, ID, CONTEXT)).rejects.toThrow('no space');
    expect(shop.engine.world.get(ID)?.running).toBe(true);
    broken = false;
    shop.supervisor.notify(ID);
    await vi.waitFor(() => expect(shop.engine.done).toEqual([`suspend ${ID}`]));
  });
});

describe('a suspended sandbox', () => {
  test('continues by a start, and boots no more', async () => {
    await using shop = await withSize();
    await suspendIn(shop.control, ID, CONTEXT);
    expect((await startIn(shop.control, ID, CONTEXT)).state).toBe('running');
    expect(shop.engine.done).toEqual([`suspend ${ID}`, `resume ${ID}`]);
    expect(shop.records.require(ID).desired).toMatchObject({ power: 'on', boot: 1, stoppedBy: null });
  });

  test.each([
    ['stopped', stopIn, ['stop']],
    ['removed', removeIn, ['destroy']],
    ['reset', resetIn, ['build', 'create', 'record']],
  ] as const)('asks before it is %s: its processes end', async (_, ask, steps) => {
    await using shop = await withSize();
    await suspendIn(shop.control, ID, CONTEXT);
    await expect(ask(shop.control, ID, CONTEXT)).rejects.toMatchObject({
      why: expect.stringContaining('the processes of the suspended sandbox'),
    });
    await ask(shop.control, ID, AGREED);
    expect(shop.engine.done.slice(1)).toEqual(steps.map((step) => `${step} ${ID}`));
  });
});

test.each([
  ['suspend', async () => {}, suspendIn, 'suspended'],
  ['resume', suspendIn, startIn, 'on'],
] as const)(
  'a daemon that is killed as its %s begins: the next one finishes it',
  async (action, prepare, ask, power) => {
    let begun = false;
    const killed = await withSize({
      work: (step) => {
        if (step.action !== action) return;
        begun = true;
        return never();
      },
    });
    await prepare(killed.control, ID, CONTEXT);
    ask(killed.control, ID, CONTEXT).catch(() => {});
    await vi.waitFor(() => expect(begun).toBe(true));
    await using next = killed.nextDaemon();
    watchAll(next.records, next.supervisor);
    await vi.waitFor(() => expect([next.engine.done, next.supervisor.busy(ID)]).toEqual([[`${action} ${ID}`], false]));
    expect(next.records.require(ID).desired.power).toBe(power);
    expect(next.engine.world.get(ID)?.running).toBe(power === 'on');
  },
);
