import { describe, expect, test } from 'vitest';
import { statusOf } from '../../../../lib/daemon/control/status.ts';
import { RECORD } from './rig.ts';

const VM = { pid: 1, startTime: '1', accel: 'tcg', startedAt: '2026-01-01T00:00:00.000Z' };

function conditionsWith(workspaceWatched: 'all' | 'some' | 'none' | undefined) {
  const facts = {
    vm: VM,
    finalized: true,
    connected: true,
    sessions: undefined,
    networkReady: true,
    diskFull: false,
    diskBytes: 0,
  };
  const now = '2026-01-01T01:00:00.000Z';
  return statusOf({
    ...facts,
    workspaceWatched,
    workspace: undefined,
    record: RECORD,
    busy: false,
    error: undefined,
    now,
  }).conditions;
}

describe('the condition WorkspaceWatched', () => {
  test.each([['all'], [undefined]] as const)('is not there when the answer is %s', (watched) => {
    expect(conditionsWith(watched).map(({ type }) => type)).not.toContain('WorkspaceWatched');
  });

  test.each([
    ['some', 'SomeFolders'],
    ['none', 'NoWatches'],
  ] as const)('names the reason and the way out when %s is watched', (watched, reason) => {
    const found = conditionsWith(watched).find(({ type }) => type === 'WorkspaceWatched');
    expect(found).toMatchObject({ status: false, reason });
    expect(found?.message).toContain('fs.inotify.max_user_watches');
  });
});
