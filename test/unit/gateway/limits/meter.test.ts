import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createMeter } from '../../../../lib/gateway/limits/meter.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

/** Milliseconds until it resolves */
async function waited(work: Promise<void> | undefined): Promise<number> {
  if (work === undefined) return 0;
  let over = false;
  void work.then(() => {
    over = true;
  });
  const began = performance.now();
  for (let tick = 0; tick < 10_000 && !over; tick += 1) await vi.advanceTimersByTimeAsync(10);
  return performance.now() - began;
}

describe('a meter', () => {
  test('without a limit never waits', () => {
    expect(createMeter().spend(1e9)).toBeUndefined();
  });

  test('lets a burst pass, then waits in proportion to the bytes', async () => {
    const meter = createMeter(1_000);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(meter.spend(100)).toBeUndefined();
    expect(await waited(meter.spend(500))).toBeCloseTo(500, -1);
    expect(await waited(meter.spend(2_000))).toBeCloseTo(2_000, -1);
  });

  test('makes everybody wait for what all have sent', async () => {
    const meter = createMeter(1_000);
    const waits = await Promise.all([meter.spend(500), meter.spend(500)].map(async (work) => waited(work)));
    expect(Math.max(...waits)).toBeGreaterThan(850);
  });

  test('saves up no more than its burst', async () => {
    const meter = createMeter(1_000);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await waited(meter.spend(1_100))).toBeGreaterThan(950);
  });

  test('who waits continues soon after the limit is gone', async () => {
    const meter = createMeter(1);
    const waiting = meter.spend(1_000);
    meter.limit(undefined);
    expect(await waited(waiting)).toBeLessThan(600);
    expect(meter.spend(1_000)).toBeUndefined();
  });
});
