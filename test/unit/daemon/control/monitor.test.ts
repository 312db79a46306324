import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Core } from '../../../../lib/daemon/control/control.ts';
import { LOOK_EVERY_MS, lookNowAndThen } from '../../../../lib/daemon/control/monitor.ts';
import { createActivityTracker } from '../../../../lib/engine/local/guests/activity.ts';
import { homeOf } from '../../../../lib/paths.ts';
import { createSupervisor } from '../../../../lib/reconcile/supervisor.ts';
import { spec } from '../../plan/spec.ts';

const ATTEMPTS = 3;
let root: string;
beforeEach(() => {
  vi.useFakeTimers();
  root = mkdtempSync(join(tmpdir(), 'sbx-look-'));
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(root, { recursive: true, force: true });
});

/** The looks of a daemon with one sandbox that nobody has reached yet, which `start` brings up or not. */
function looking(start: () => Promise<void>) {
  const state = { up: false, starts: 0 };
  const supervisor = createSupervisor({
    plan: async (id) => ({ changes: [], steps: state.up ? [] : [{ action: 'start', sandbox: id, spec: spec() }] }),
    execute: async () => {
      state.starts += 1;
      await start();
      state.up = true;
    },
    concurrency: 1,
    attempts: ATTEMPTS,
  });
  const deps = {
    home: homeOf({ SBX_HOME: root }),
    records: { list: () => [{ id: 'shop', applied: spec() }] },
    guests: { get: () => undefined },
    pool: { tend: async () => {} },
  } as unknown as Core['deps'];
  const disks = { look: async () => {}, isWaiting: () => false };
  const timer = lookNowAndThen({ deps, supervisor, disks, uses: createActivityTracker() } as unknown as Core);
  supervisor.watch('shop', spec());
  return { state, [Symbol.dispose]: () => clearInterval(timer) };
}

test('a sandbox that cannot start is left alone after its tries, for as long as the daemon looks', async () => {
  using looks = looking(async () => {
    throw new Error('the workspace is gone');
  });
  await vi.advanceTimersByTimeAsync(100 * LOOK_EVERY_MS);
  expect(looks.state.starts).toBe(ATTEMPTS);
});

test('a machine that died unseen is started again', async () => {
  using looks = looking(async () => {});
  await vi.advanceTimersByTimeAsync(LOOK_EVERY_MS);
  expect(looks.state.starts).toBe(1);
  looks.state.up = false;
  await vi.advanceTimersByTimeAsync(LOOK_EVERY_MS);
  expect(looks.state.starts).toBe(2);
});
