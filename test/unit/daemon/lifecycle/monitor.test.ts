import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CHECK_EVERY_MS, startMonitor } from '../../../../lib/daemon/lifecycle/monitor.ts';
import { watchAll } from '../../../../lib/daemon/service.ts';
import type { TestEngineOptions } from '../../reconcile/test-engine.ts';
import { ID, rig } from '../control/rig.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

async function monitored(options: TestEngineOptions) {
  const shop = await rig(options);
  watchAll(shop.records, shop.supervisor);
  const timer = startMonitor(shop.control);
  return { shop, timer };
}

test('a sandbox that cannot start is halted after its retries, for as long as the daemon checks', async () => {
  let starts = 0;
  const { shop, timer } = await monitored({
    work: () => {
      starts += 1;
      throw new Error('the workspace is gone');
    },
  });
  shop.engine.crash(ID);
  await vi.advanceTimersByTimeAsync(1000 * CHECK_EVERY_MS);
  expect(starts).toBe(20);
  clearInterval(timer);
  await shop[Symbol.asyncDispose]();
});

test('a VM that ended without an event is started again', async () => {
  const { shop, timer } = await monitored({});
  shop.engine.crash(ID);
  await vi.advanceTimersByTimeAsync(CHECK_EVERY_MS);
  // The supervisor's work is not timed: it needs more turns on a busy host.
  await vi.waitFor(() => expect(shop.engine.done).toEqual([`start ${ID}`]), { timeout: 20_000 });
  clearInterval(timer);
  await shop[Symbol.asyncDispose]();
});
