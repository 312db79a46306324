import { expect, test } from 'vitest';
import type { Condition } from '../../../../../lib/api/sandbox-status.ts';
import { sessionOf, whyOf } from '../../../../../lib/cli/commands/sandbox/condition-text.ts';
import { ageOf } from '../../../../../lib/cli/view/age.ts';

const NOW = Date.parse('2026-01-02T00:00:00Z');
const condition = (type: string, status: boolean, reason: string): Condition => ({
  type,
  status,
  reason,
  message: `the message of ${reason}`,
  since: '2026-01-01T22:00:00Z',
});

test.each([
  ['2026-01-02T00:00:00Z', '0s'],
  ['2026-01-01T23:59:01Z', '59s'],
  ['2026-01-01T23:00:01Z', '59m'],
  ['2026-01-01T00:00:00Z', '1d'],
  ['2026-01-03T00:00:00Z', '0s'],
  ['', '-'],
])('since %j is an age of %s', (since, age) => {
  expect(ageOf(since, NOW)).toBe(age);
});

test('a session shows how long it has been running', () => {
  expect(sessionOf({ conditions: [condition('AgentRunning', true, 'Session')] }, NOW)).toBe('2h');
  expect(sessionOf({ conditions: [condition('AgentRunning', false, 'NoSession')] }, NOW)).toBe('-');
});

test('the reason is the most telling condition; what a person stopped has none', () => {
  const all = [condition('Ready', false, 'NotRunning'), condition('NetworkReady', false, 'Shut')];
  expect(whyOf({ state: 'stopped', conditions: all }, true)).toBe('');
  expect(whyOf({ state: 'failed', conditions: all }, true)).toBe('the message of NotRunning');
  const idle = [condition('Ready', false, 'StoppedIdle'), condition('NetworkReady', false, 'Shut')];
  expect(whyOf({ state: 'stopped', conditions: idle }, true)).toBe('the message of StoppedIdle');
  const broken = [...all, condition('Healthy', false, 'vm-died')];
  expect(whyOf({ state: 'failed', conditions: broken }, true)).toBe('the message of vm-died');
  expect(whyOf({ state: 'running', conditions: [condition('Ready', true, 'Answers')] }, true)).toBe('');
  expect(whyOf({ state: 'running', conditions: [] }, false)).toBe('its folder was moved or deleted');
});
