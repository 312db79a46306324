/** What a person asks of a sandbox that is just being started in the background. Its start and its driver are test doubles; the record is real. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { DaemonEvent, RequestContext } from '../../../../lib/api/contract.ts';
import type { Core } from '../../../../lib/daemon/control/control.ts';
import { removeIn, resetIn, stopIdle, stopIn } from '../../../../lib/daemon/control/lifecycle.ts';
import { createListeners } from '../../../../lib/daemon/control/progress.ts';
import { createProjectMutex } from '../../../../lib/daemon/control/project-mutex.ts';
import { createActivityTracker } from '../../../../lib/engine/local/guests/activity.ts';
import { type Home, homeOf, instancePaths } from '../../../../lib/paths.ts';
import { absent, planSandbox } from '../../../../lib/plan/plan.ts';
import { createSupervisor, type Supervisor } from '../../../../lib/reconcile/supervisor.ts';
import { Records } from '../../../../lib/state/records.ts';
import { hash, running, spec } from '../../plan/spec.ts';

const ID = 'shop-1';
const SPEC = spec({ lifecycle: { restart: 'always', idleSeconds: 0, pool: 0 } });
const CONTEXT: RequestContext = { signal: new AbortController().signal, emit: () => {} };

let home: Home;
let records: Records;
let supervisor: Supervisor;
let log: string[];
let looks: string[];
beforeEach(async () => {
  home = homeOf({ SBX_HOME: mkdtempSync(join(tmpdir(), 'sbx-life-')) });
  records = new Records(home);
  mkdirSync(instancePaths(home, ID).dir, { recursive: true });
  await records.put({
    version: 1,
    id: ID,
    name: 'shop',
    project: 'p',
    projectDir: '/project',
    target: SPEC,
    applied: SPEC,
    image: null,
    stopped: null,
    resumed: null,
    createdAt: new Date(0).toISOString(),
  });
  log = [];
  looks = [];
});
afterEach(async () => {
  await supervisor.stop();
  rmSync(home.root, { recursive: true, force: true });
});

async function whileStarting(): Promise<Core> {
  const core = coreOf();
  supervisor.watch(ID, SPEC);
  await vi.waitFor(() => expect(log).toEqual(['start']));
  return core;
}

/** A daemon's core, with a start that goes on for a moment after it heard that it was given up. */
function coreOf(): Core {
  supervisor = createSupervisor({
    plan: async (id, target, mode) => {
      const plan = planSandbox(target, observed(id), { mode, networkHash: hash });
      looks.push(plan.steps.length === 0 ? 'nothing to do' : 'start');
      return plan;
    },
    execute: async (id, _step, signal) => {
      log.push('start');
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      await new Promise((resolve) => setImmediate(resolve));
      if (records.get(id) !== undefined) await records.update(id, { stopped: null });
      log.push('start ended');
      signal.throwIfAborted();
    },
    concurrency: 1,
    attempts: 20,
  });
  const note = (what: string) => async () => void log.push(what);
  const deps = {
    home,
    records,
    driver: { find: () => undefined, destroy: note('destroy') },
    guests: { get: () => undefined, sessionsOf: () => undefined, drop: async () => {} },
    watches: { stop: () => {} },
    pool: { shrink: async () => {} },
    gateway: { hashOf: () => undefined },
    egress: { close: note('door shut') },
    credentials: { forget: async () => {} },
  };
  const disks = { look: async () => {}, isWaiting: () => false };
  return {
    deps,
    supervisor,
    disks,
    listeners: createListeners(),
    turns: createProjectMutex(),
    uses: createActivityTracker(),
  } as unknown as Core;
}

function observed(id: string) {
  const record = records.get(id);
  if (record === undefined) return absent('shop');
  return running(SPEC, { running: false, ready: false, stopped: record.stopped !== null });
}

describe('while it is started in the background', () => {
  test('a sandbox is stopped after that start has ended, and stays so', async () => {
    const core = await whileStarting();
    const status = await stopIn(core, ID, CONTEXT);
    expect(log).toEqual(['start', 'start ended', 'destroy']);
    expect(status.state).toBe('stopped');
    expect(records.require(ID).stopped).toBe('user');
    // It is watched again, which finds nothing to do.
    await vi.waitFor(() => expect(looks).toEqual(['start', 'nothing to do']));
    expect(log).toEqual(['start', 'start ended', 'destroy']);
  });

  test('a sandbox is removed after that start has ended: no door opens behind it', async () => {
    const core = await whileStarting();
    await removeIn(core, ID, CONTEXT);
    expect(log).toEqual(['start', 'start ended', 'destroy', 'door shut']);
    expect(records.get(ID)).toBeUndefined();
  });

  test.each([
    ['stops', stopIn],
    ['resets', resetIn],
    ['removes', removeIn],
  ])('who %s a sandbox hears that it waits for that start, before it has ended', async (_, ask) => {
    const core = await whileStarting();
    const heard: DaemonEvent[] = [];
    const emit = (event: DaemonEvent) => {
      if (heard.push(event) === 1) log.push('told');
    };
    // A reset goes on to build an image, which there is none of here.
    await Promise.allSettled([ask(core, ID, { ...CONTEXT, emit })]);
    expect(log.slice(0, 3)).toEqual(['start', 'told', 'start ended']);
    const waiting = { type: 'progress', sandbox: 'shop', message: 'waiting for what is being done to it' };
    expect(heard.filter(({ type }) => type === 'progress')).toEqual([waiting]);
    expect(heard[0]).toEqual(waiting);
  });
});

test('who stops a sandbox that nothing is done to waits for nothing', async () => {
  await records.update(ID, { stopped: 'user' });
  const core = coreOf();
  supervisor.watch(ID, SPEC);
  await vi.waitFor(() => expect([looks, supervisor.busy(ID)]).toEqual([['nothing to do'], false]));
  const heard: DaemonEvent[] = [];
  await stopIn(core, ID, { ...CONTEXT, emit: (event) => void heard.push(event) });
  expect(heard.map(({ type }) => type)).toEqual(['step', 'step']);
});

describe('a sandbox that nobody used', () => {
  test('is stopped when its turn comes, and stays so', async () => {
    const core = coreOf();
    await stopIdle(core, ID, () => true);
    expect(records.require(ID).stopped).toBe('idle');
    expect(log).toEqual(['destroy']);
    await vi.waitFor(() => expect(looks).toEqual(['nothing to do']));
  });

  test('and is used before its turn comes goes on', async () => {
    const core = coreOf();
    let idle = true;
    let free = () => {};
    const held = new Promise<void>((resolve) => {
      free = resolve;
    });
    const before = core.turns.take('/project', () => held);
    const stopping = stopIdle(core, ID, () => idle);
    idle = false;
    free();
    await Promise.all([before, stopping]);
    expect([records.require(ID).stopped, log]).toEqual([null, []]);
  });
});
