/** A walk over folders of which some cannot be read at the moment. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { TreeWalk } from '../../../../lib/workspace/facts/tree-walk.ts';
import { fail } from '../../../../lib/workspace/server/sys/errno.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('without a free descriptor it goes on later, and is complete only with the folder that it could not open', async () => {
  let isFull = true;
  const visited: string[] = [];
  const visit = (path: string) => {
    if (isFull && path === 'a') fail('EMFILE');
    visited.push(path);
    return path === '' ? ['a', 'node_modules', 'b'] : [];
  };
  using walk = new TreeWalk({ visit, known: () => [], now: () => performance.now() });
  walk.start();
  let isDone = false;
  const end = walk.firstEnd()?.then(() => (isDone = true));
  await vi.advanceTimersByTimeAsync(5_000);
  expect([visited, isDone]).toEqual([['', 'b', 'node_modules'], false]);
  isFull = false;
  await vi.advanceTimersByTimeAsync(5_000);
  await end;
  expect(visited).toContain('a');
});
