import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { endWhenIdle } from '../../../../lib/workspace/process/idle.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('a server ends some time after its last guest has left, however often the daemon asks for its status', () => {
  let guests = 0;
  const end = vi.fn();
  const onRequest = endWhenIdle(() => guests === 0, end);
  guests = 1;
  onRequest('attach');
  vi.advanceTimersByTime(3_600_000);
  guests = 0;
  onRequest('detach');
  for (let seconds = 0; seconds < 25; seconds += 5) {
    vi.advanceTimersByTime(5_000);
    onRequest('status');
  }
  expect(end).not.toHaveBeenCalled();
  vi.advanceTimersByTime(5_000);
  expect(end).toHaveBeenCalledOnce();
});

test('a guest that comes meanwhile keeps it', () => {
  let guests = 0;
  const end = vi.fn();
  const onRequest = endWhenIdle(() => guests === 0, end);
  vi.advanceTimersByTime(20_000);
  guests = 1;
  onRequest('attach');
  vi.advanceTimersByTime(100_000);
  expect(end).not.toHaveBeenCalled();
});
