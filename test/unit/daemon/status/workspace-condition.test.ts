import { expect, test } from 'vitest';
import { workspaceCondition } from '../../../../lib/daemon/status/workspace-condition.ts';

test.each([
  [{ is: 'served' }, 'Served', /serves/],
  [{ is: 'gone', path: '/p' }, 'FolderGone', /^\/p was moved or deleted.*`sbx rm web`/],
  [{ is: 'replaced', path: '/p' }, 'FolderReplaced', /^\/p is another folder now.*`sbx restart web`/],
  [{ is: 'lost' }, 'ServerLost', /`sbx daemon logs`/],
] as const)('%j', (state, reason, message) => {
  const [actual, text] = workspaceCondition(state, 'web');
  expect(actual).toBe(reason);
  expect(text).toMatch(message);
});
