import { expect, test } from 'vitest';
import { cached } from '../../../lib/state/cached.ts';

test('who is in a hurry gets what was read last, and reads where nothing was', async () => {
  let looks = 0;
  const { refresh, get } = cached(async () => {
    looks += 1;
    return looks;
  });
  expect(await get()).toBe(1);
  expect(await get()).toBe(1);
  expect(await refresh()).toBe(2);
  expect(await get()).toBe(2);
});

test('a failure is told, and what was known before is kept', async () => {
  const answers: (string | Error)[] = [new Error('busy'), 'first', new Error('busy again')];
  const { refresh, get } = cached(async () => {
    const answer = answers.shift() ?? 'later';
    if (answer instanceof Error) throw answer;
    return answer;
  });
  await expect(get()).rejects.toThrow('busy');
  expect(await get()).toBe('first');
  await expect(refresh()).rejects.toThrow('busy again');
  expect(await get()).toBe('first');
});
