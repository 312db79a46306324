import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { together } from '../../lib/together.ts';

test('each result in its place', async () => {
  const [number, text] = await together([sleep(5).then(() => 1), Promise.resolve('a')]);
  expect([number + 1, text.length]).toEqual([2, 1]);
});

test('a failure waits for the others', async () => {
  let ended = false;
  const slow = sleep(20).then(() => {
    ended = true;
  });
  await expect(together([slow, Promise.reject(new Error('quick'))])).rejects.toThrow('quick');
  expect(ended).toBe(true);
});
