/** Control groups over plain files: which groups are used, and which process is moved when. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ControlGroups } from '../../../../../lib/guest/agent/process/control-groups.ts';

const LIMITS = { memoryBytes: 1000, commandBytes: 900, processes: 30, commandProcesses: 10 };

let root: string;
let groups: ControlGroups;
const read = (path: string) => readFileSync(join(root, path), 'utf8');
/** What the kernel would say of a group */
const populate = (name: string, populated: 0 | 1, freeze: 0 | 1 = 0) => {
  writeFileSync(join(root, 'work', name, 'cgroup.events'), `populated ${populated}\nfrozen ${freeze}\n`);
  writeFileSync(join(root, 'work', name, 'cgroup.freeze'), `${freeze}\n`);
};

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sbx-groups-'));
  groups = new ControlGroups(root, LIMITS);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test('all commands have limits together, and each has its own', () => {
  groups.take();
  expect(read('cgroup.subtree_control')).toBe('+memory +pids +cpu');
  expect([read('work/memory.max'), read('work/pids.max')]).toEqual(['1000', '30']);
  expect([read('work/1/memory.max'), read('work/1/pids.max')]).toEqual(['900', '10']);
});

test('all containers have the limits of one command together', () => {
  expect([read('work/docker/memory.max'), read('work/docker/pids.max')]).toEqual(['900', '10']);
});

test('a command starts in its group, and the agent leaves it again, also when the start fails', () => {
  const group = groups.take();
  writeFileSync(join(root, 'work/1/cgroup.procs'), '');
  writeFileSync(join(root, 'cgroup.procs'), '');
  group.start(() => {
    expect([read('work/1/cgroup.procs'), read('cgroup.procs')]).toEqual(['0', '']);
    return { pid: undefined };
  });
  expect(read('cgroup.procs')).toBe('0');
  writeFileSync(join(root, 'cgroup.procs'), '');
  expect(() =>
    group.start(() => {
      throw new Error('no');
    }),
  ).toThrow('no');
  expect(read('cgroup.procs')).toBe('0');
});

test('a group is used again when its command has ended and no process is left in it', () => {
  const first = groups.take();
  populate('1', 1);
  groups.take();
  populate('2', 1);
  first.release();
  // A background process of the first is still there.
  groups.take();
  populate('3', 1);
  expect(read('work/3/pids.max')).toBe('10');
  populate('1', 0);
  groups.take();
  expect(() => read('work/4/pids.max')).toThrow('ENOENT');
});

test('a frozen group is not used: the agent would be stopped in it; the next agent resumes it', () => {
  groups.take().release();
  populate('1', 0, 1);
  groups.take().release();
  expect(read('work/2/pids.max')).toBe('10');
  populate('2', 1);
  new ControlGroups(root, LIMITS);
  expect(read('work/1/cgroup.freeze')).toBe('0');
});

test('the next agent finds the groups of the one before', () => {
  mkdirSync(join(root, 'work/7'));
  populate('7', 1);
  new ControlGroups(root, LIMITS).take();
  expect(read('work/8/pids.max')).toBe('10');
});

test('freezes all of a group, and counts what was ended in it', () => {
  const group = groups.take();
  group.freeze(true);
  expect(read('work/1/cgroup.freeze')).toBe('1');
  group.freeze(false);
  expect(read('work/1/cgroup.freeze')).toBe('0');
  writeFileSync(join(root, 'work/1/memory.events'), 'max 9\noom 2\noom_kill 2\n');
  expect(group.kills()).toBe(2);
});
