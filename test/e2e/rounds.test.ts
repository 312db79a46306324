import { test } from 'vitest';
import { SHELL } from './harness.ts';
import { roundsLeaveNothing } from './rounds.ts';

test('rounds of create, exec, rm leave nothing over', async () => {
  await roundsLeaveNothing({ toml: SHELL, uncounted: 2, counted: 6 });
});
