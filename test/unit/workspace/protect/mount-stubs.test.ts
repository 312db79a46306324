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
import {
  makePlaceholders,
  type Placeholder,
  removePlaceholders,
} from '../../../../lib/workspace/protect/mount-stubs.ts';

let base = '';
let workspace = '';
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'sbx-placeholders-'));
  workspace = join(base, 'ws');
  mkdirSync(workspace);
  for (const name of ['one', 'two', 'three']) mkdirSync(join(base, 'instances', name), { recursive: true });
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const record = (name: string) => join(base, 'instances', name, 'placeholders.json');
const dir = (name: string): Placeholder => ({ path: join(workspace, name), kind: 'dir', content: '' });
const file = (name: string, content = ''): Placeholder => ({ path: join(workspace, name), kind: 'file', content });

test('made, written down, removed; each twice without harm', () => {
  for (let time = 0; time < 2; time += 1) makePlaceholders(record('one'), [dir('a'), file('a/b', '.\n')]);
  expect(readdirSync(workspace, { recursive: true })).toEqual(['a', 'a/b']);
  expect(readFileSync(join(workspace, 'a/b'), 'utf8')).toBe('.\n');
  for (let time = 0; time < 2; time += 1) removePlaceholders(record('one'), []);
  expect(readdirSync(workspace)).toEqual([]);
  expect(existsSync(record('one'))).toBe(false);
});

test('what was there before is not ours', () => {
  mkdirSync(join(workspace, 'a'));
  writeFileSync(join(workspace, 'b'), '');
  makePlaceholders(record('one'), [dir('a'), file('b'), file('c')]);
  removePlaceholders(record('one'), []);
  expect(readdirSync(workspace)).toEqual(['a', 'b']);
});

test.each([
  ['before anything was made', false],
  ['after it was made, before that was noted', true],
])('a maker killed %s', (_, made) => {
  const planned = [{ ...dir('a'), plannedAt: Date.now() }];
  writeFileSync(record('one'), JSON.stringify(planned));
  if (made) mkdirSync(join(workspace, 'a'));
  makePlaceholders(record('one'), [dir('a'), dir('b')]);
  expect(readdirSync(workspace)).toEqual(['a', 'b']);
  removePlaceholders(record('one'), []);
  expect(readdirSync(workspace)).toEqual([]);
});

test('a folder older than a killed maker’s intent is not its own', () => {
  mkdirSync(join(workspace, 'a'));
  writeFileSync(record('one'), JSON.stringify([{ ...dir('a'), plannedAt: Date.now() + 10_000 }]));
  removePlaceholders(record('one'), []);
  expect(readdirSync(workspace)).toEqual(['a']);
});

test('shared: in whichever order they stop, the last one removes', () => {
  makePlaceholders(record('one'), [dir('a')]);
  makePlaceholders(record('two'), [dir('a')]);
  removePlaceholders(record('one'), [record('two'), record('three')]);
  makePlaceholders(record('three'), [dir('a')]);
  removePlaceholders(record('two'), [record('one'), record('three')]);
  expect(readdirSync(workspace)).toEqual(['a']);
  removePlaceholders(record('three'), [record('one'), record('two')]);
  expect(readdirSync(workspace)).toEqual([]);
});

test('what is no longer wanted is not made again', () => {
  makePlaceholders(record('one'), [dir('a'), dir('b')]);
  rmSync(join(workspace, 'a'), { recursive: true });
  makePlaceholders(record('one'), [dir('b')]);
  expect(readdirSync(workspace)).toEqual(['b']);
});

test('nothing is made behind a link', () => {
  mkdirSync(join(base, 'elsewhere'));
  symlinkSync('../elsewhere', join(workspace, 'a'));
  expect(() => makePlaceholders(record('one'), [file('a/b')])).toThrow(expect.objectContaining({ code: 'workspace' }));
  expect(readdirSync(join(base, 'elsewhere'))).toEqual([]);
});

test('nothing is removed behind a link', () => {
  makePlaceholders(record('one'), [dir('a'), file('a/b')]);
  mkdirSync(join(base, 'elsewhere'));
  writeFileSync(join(base, 'elsewhere/b'), '');
  rmSync(join(workspace, 'a'), { recursive: true });
  symlinkSync('../elsewhere', join(workspace, 'a'));
  removePlaceholders(record('one'), []);
  expect(readdirSync(join(base, 'elsewhere'))).toEqual(['b']);
});

test('a workspace that cannot be written to is an error with a way out', () => {
  writeFileSync(join(workspace, 'plain'), '');
  expect(() => makePlaceholders(record('one'), [dir('plain/x')])).toThrow(
    expect.objectContaining({ code: 'workspace', hint: expect.stringContaining('unprotect') }),
  );
});
