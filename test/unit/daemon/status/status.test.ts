import { describe, expect, test } from 'vitest';
import { type StatusFacts, statusOf } from '../../../../lib/daemon/status/status.ts';
import { RECORD } from '../control/rig.ts';

const VM = { pid: 1, startTime: '1', accel: 'tcg', startedAt: '2026-01-01T00:00:00.000Z' };

const FACTS: StatusFacts = {
  vm: VM,
  finalized: true,
  connected: true,
  outOfMemory: undefined,
  diskBytes: 4096,
  saved: undefined,
  sessions: undefined,
  newImage: undefined,
  networkReady: true,
  diskFull: false,
  workspaceWatched: undefined,
  workspace: undefined,
  ports: [],
  portUsage: { open: 0, usedAt: undefined },
  record: RECORD,
  busy: false,
  error: undefined,
  now: '2026-01-01T01:00:00.000Z',
};

function conditionsWith(workspaceWatched: 'all' | 'some' | 'none' | undefined) {
  return statusOf({ ...FACTS, workspaceWatched }).conditions;
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

describe('a sandbox out of memory', () => {
  const memory = (outOfMemory: StatusFacts['outOfMemory']) =>
    statusOf({ ...FACTS, outOfMemory }).conditions.find(({ type }) => type === 'MemoryAvailable');

  test('says how many processes were ended, and what to do', () => {
    const at = '2026-01-01T00:59:00.000Z';
    expect(memory({ kills: 1, at })).toMatchObject({ status: false, reason: 'OutOfMemory', since: at });
    expect(memory({ kills: 1, at })?.message).toMatch(/^out of memory: 1 process was ended .*\[resources\] memory/);
    expect(memory({ kills: 2, at })?.message).toContain('2 processes were');
  });

  test('is silent about it when nothing was ended, or an hour ago', () => {
    expect(memory(undefined)).toBe(undefined);
    expect(memory({ kills: 1, at: '2025-12-31T23:59:00.000Z' })).toBe(undefined);
  });
});

describe('the condition ImageReady', () => {
  const at = '2026-01-01T00:30:00.000Z';
  const found = (newImage: StatusFacts['newImage']) =>
    statusOf({ ...FACTS, newImage }).conditions.find(({ type }) => type === 'ImageReady');

  test('is not there when the image of the sandbox is the newest', () => {
    expect(found(undefined)).toBeUndefined();
  });

  test.each<[string, NonNullable<StatusFacts['newImage']>, string, RegExp]>([
    ['Waiting', { is: 'waiting', reason: 'packages' }, FACTS.now, /packages .* to be built in the background/],
    [
      'Building',
      { is: 'building', reason: 'packages', since: at, doing: 'apt-get install jq' },
      at,
      /: apt-get install jq\./,
    ],
    ['Building', { is: 'building', reason: 'size', since: at, doing: '' }, at, /its new size is built .*sbx reset/],
    [
      'BuildFailed',
      { is: 'failed', reason: 'packages', since: at, error: 'it ended:\n  no jq' },
      at,
      /it ended: no jq\. .*sbx logs --bake.*sbx apply/,
    ],
  ])('is false with the reason %s, since when, and what to do', (reason, image, since, message) => {
    expect(found(image)).toMatchObject({ status: false, reason, since, message: expect.stringMatching(message) });
  });

  test('shows no more of what is built than a line has room for', () => {
    const doing = 'x'.repeat(10_000);
    expect(found({ is: 'building', reason: 'packages', since: at, doing })?.message.length).toBeLessThan(400);
  });
});

test('a guest that does not answer is not ready, and its VM still runs', () => {
  const { state, conditions } = statusOf({ ...FACTS, connected: false });
  expect(state).toBe('running');
  expect(conditions.find(({ type }) => type === 'Ready')).toMatchObject({ status: false, reason: 'NoAnswer' });
});

test('the disk is what it takes on the host', () => {
  expect(statusOf(FACTS).diskBytes).toBe(4096);
});
