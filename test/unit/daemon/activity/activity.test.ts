import { expect, test } from 'vitest';
import { createActivityTracker } from '../../../../lib/daemon/activity/activity.ts';

function at() {
  const clock = { now: 1000 };
  return { clock, uses: createActivityTracker(() => clock.now) };
}

test('one that nobody used is idle since it was first looked at', () => {
  const { clock, uses } = at();
  expect(uses.idleFor('a', 'vm', false)).toBe(0);
  clock.now += 500;
  expect(uses.idleFor('a', 'vm', false)).toBe(500);
  expect(uses.idleFor('b', 'vm', false)).toBe(0);
});

test('in use until the last of its users has gone, each of which goes once', () => {
  const { clock, uses } = at();
  uses.idleFor('a', 'vm', false);
  const [one, two] = [uses.begin('a'), uses.begin('a')];
  clock.now += 500;
  one[Symbol.dispose]();
  one[Symbol.dispose]();
  clock.now += 500;
  expect(uses.idleFor('a', 'vm', false)).toBe(0);
  clock.now += 300;
  two[Symbol.dispose]();
  clock.now += 200;
  expect(uses.idleFor('a', 'vm', false)).toBe(200);
});

test('a session of its agent, or work on it, is use', () => {
  const { clock, uses } = at();
  uses.idleFor('a', 'vm', false);
  clock.now += 500;
  expect(uses.idleFor('a', 'vm', true)).toBe(0);
  clock.now += 100;
  expect(uses.idleFor('a', 'vm', false)).toBe(100);
});

test('another machine of it begins anew, and so does one that was removed', () => {
  const { clock, uses } = at();
  uses.idleFor('a', 'first', false);
  clock.now += 500;
  expect(uses.idleFor('a', 'second', false)).toBe(0);
  clock.now += 500;
  uses.forget('a');
  expect(uses.idleFor('a', 'second', false)).toBe(0);
});
