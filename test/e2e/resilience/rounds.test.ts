import { test } from 'vitest';
import { SHELL } from '../harness.ts';
import { roundsLeaveNothing } from './rounds.ts';

test('rounds of create, exec and rm leave nothing behind', async () => {
  await roundsLeaveNothing({ toml: SHELL, uncounted: 2, counted: 6 });
});
