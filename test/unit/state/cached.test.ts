import { expect, test } from 'vitest';
import { lastKnown } from '../../../lib/state/cached.ts';

test('who is in a hurry gets what was read last, and reads where nothing was', async () => {
  let looks = 0;
  const { read, known } = lastKnown(async () => {
    looks += 1;
    return looks;
  });
  expect(await known()).toBe(1);
  expect(await known()).toBe(1);
  expect(await read()).toBe(2);
  expect(await known()).toBe(2);
});

test('a failure is told, and what was known before is kept', async () => {
  const answers: (string | Error)[] = [new Error('busy'), 'first', new Error('busy again')];
  const { read, known } = lastKnown(async () => {
    const answer = answers.shift() ?? 'later';
    if (answer instanceof Error) throw answer;
    return answer;
  });
  await expect(known()).rejects.toThrow('busy');
  expect(await known()).toBe('first');
  await expect(read()).rejects.toThrow('busy again');
  expect(await known()).toBe('first');
});
