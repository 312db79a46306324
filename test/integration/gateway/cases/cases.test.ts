import { describe, test } from 'vitest';
import { HOSTILE } from './cases.ts';
import { runHostile } from './hostile-case.ts';

describe('a request of a hostile guest', () => {
  test.each(HOSTILE.map((one) => [one.name, one] as const))('%s', async (_name, one) => runHostile(one));
});
