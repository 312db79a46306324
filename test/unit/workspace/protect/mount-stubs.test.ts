import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type MountStub, makeMountStubs, removeMountStubs } from '../../../../lib/workspace/protect/mount-stubs.ts';

let base = '';
let workspace = '';
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'sbx-placeholders-'));
  workspace = join(base, 'ws');
  mkdirSync(workspace);
  for (const name of ['one', 'two', 'three']) mkdirSync(join(base, 'instances', name), { recursive: true });
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const record = (name: string) => join(base, 'instances', name, 'mount-stubs.json');
const dir = (name: string): MountStub => ({ path: join(workspace, name), kind: 'dir', content: '' });
const file = (name: string, content = ''): MountStub => ({ path: join(workspace, name), kind: 'file', content });

test('made, written down, removed; each twice without harm', () => {
  for (let time = 0; time < 2; time += 1) makeMountStubs(record('one'), [dir('a'), file('a/b', '.\n')]);
  expect(readdirSync(workspace, { recursive: true })).toEqual(['a', 'a/b']);
  expect(readFileSync(join(workspace, 'a/b'), 'utf8')).toBe('.\n');
  for (let time = 0; time < 2; time += 1) removeMountStubs(record('one'), []);
  expect(readdirSync(workspace)).toEqual([]);
  expect(existsSync(record('one'))).toBe(false);
});

test('what was there before is not ours', () => {
  mkdirSync(join(workspace, 'a'));
  writeFileSync(join(workspace, 'b'), '');
  makeMountStubs(record('one'), [dir('a'), file('b'), file('c')]);
  removeMountStubs(record('one'), []);
  expect(readdirSync(workspace)).toEqual(['a', 'b']);
});

test.each([
  ['before anything was made', false],
  ['after it was made, before that was noted', true],
])('a maker killed %s', (_, made) => {
  const planned = [{ ...dir('a'), plannedAt: Date.now() }];
  writeFileSync(record('one'), JSON.stringify(planned));
  if (made) mkdirSync(join(workspace, 'a'));
  makeMountStubs(record('one'), [dir('a'), dir('b')]);
  expect(readdirSync(workspace)).toEqual(['a', 'b']);
  removeMountStubs(record('one'), []);
  expect(readdirSync(workspace)).toEqual([]);
});

test('a folder older than a killed maker’s intent is not its own', () => {
  mkdirSync(join(workspace, 'a'));
  writeFileSync(record('one'), JSON.stringify([{ ...dir('a'), plannedAt: Date.now() + 10_000 }]));
  removeMountStubs(record('one'), []);
  expect(readdirSync(workspace)).toEqual(['a']);
});

test('shared: in whichever order they stop, the last one removes', () => {
  makeMountStubs(record('one'), [dir('a')]);
  makeMountStubs(record('two'), [dir('a')]);
  removeMountStubs(record('one'), [record('two'), record('three')]);
  makeMountStubs(record('three'), [dir('a')]);
  removeMountStubs(record('two'), [record('one'), record('three')]);
  expect(readdirSync(workspace)).toEqual(['a']);
  removeMountStubs(record('three'), [record('one'), record('two')]);
  expect(readdirSync(workspace)).toEqual([]);
});

test('what is no longer wanted is not made again', () => {
  makeMountStubs(record('one'), [dir('a'), dir('b')]);
  rmSync(join(workspace, 'a'), { recursive: true });
  makeMountStubs(record('one'), [dir('b')]);
  expect(readdirSync(workspace)).toEqual(['b']);
});

test('nothing is made behind a link', () => {
  mkdirSync(join(base, 'elsewhere'));
  symlinkSync('../elsewhere', join(workspace, 'a'));
  expect(() => makeMountStubs(record('one'), [file('a/b')])).toThrow(expect.objectContaining({ code: 'workspace' }));
  expect(readdirSync(join(base, 'elsewhere'))).toEqual([]);
});

test('nothing is removed behind a link', () => {
  makeMountStubs(record('one'), [dir('a'), file('a/b')]);
  mkdirSync(join(base, 'elsewhere'));
  writeFileSync(join(base, 'elsewhere/b'), '');
  rmSync(join(workspace, 'a'), { recursive: true });
  symlinkSync('../elsewhere', join(workspace, 'a'));
  removeMountStubs(record('one'), []);
  expect(readdirSync(join(base, 'elsewhere'))).toEqual(['b']);
});

test('a workspace that cannot be written to is an error with a way out', () => {
  writeFileSync(join(workspace, 'plain'), '');
  expect(() => makeMountStubs(record('one'), [dir('plain/x')])).toThrow(
    expect.objectContaining({ code: 'workspace', hint: expect.stringContaining('unprotect') }),
  );
});
