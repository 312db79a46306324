import { expect, test } from 'vitest';
import { availableBytes, busyMs, usageOfGuest } from '../../../../lib/guest/agent/usage.ts';

test('busy time is that of all processors, without idle time and without waiting for the disk', () => {
  const stat = 'cpu  100 20 30 5000 700 4 6 80 9 9\ncpu0 50 10 15 2500 350 2 3 40 4 4\nintr 1 2 3\n';
  expect(busyMs(stat)).toBe((100 + 20 + 30 + 4 + 6) * 10);
  expect(busyMs('')).toBe(0);
});

test('available memory counts caches', () => {
  expect(availableBytes('MemTotal:  2000 kB\nMemFree:  10 kB\nMemAvailable:    1500 kB\n')).toBe(1500 * 1024);
  expect(availableBytes('MemTotal:  2000 kB\n')).toBe(0);
});

test('the figures of a real system make sense, and are whole numbers', () => {
  const usage = usageOfGuest();
  for (const value of Object.values(usage)) expect(Number.isSafeInteger(value) && value > 0).toBe(true);
  expect(usage.memoryUsedBytes).toBeLessThan(usage.memoryBytes);
  expect(usage.diskUsedBytes).toBeLessThanOrEqual(usage.diskBytes);
});
