import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { allOrAbort } from '../../../lib/system/all-or-abort.ts';

test('each result in its place', async () => {
  const [number, text] = await allOrAbort(undefined, () => [sleep(5).then(() => 1), Promise.resolve('a')]);
  expect([number + 1, text.length]).toEqual([2, 1]);
});

test('a failure ends the others, and is thrown when they have ended', async () => {
  const ended: unknown[] = [];
  const slow = async (signal: AbortSignal) => {
    await sleep(60_000, undefined, { signal }).catch(() => {});
    ended.push(signal.reason);
    throw new Error('what came of it');
  };
  const quick = new Error('quick');
  await expect(allOrAbort(undefined, (signal) => [slow(signal), Promise.reject(quick)])).rejects.toBe(quick);
  expect(ended).toEqual([quick]);
});

test('an outer abort ends them all', async () => {
  const outer = new AbortController();
  const work = allOrAbort(outer.signal, (signal) => [
    sleep(60_000, undefined, { signal }),
    sleep(60_000, undefined, { signal }),
  ]);
  outer.abort();
  await expect(work).rejects.toMatchObject({ name: 'AbortError' });
});
