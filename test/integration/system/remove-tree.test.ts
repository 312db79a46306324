/** Removing what a guest has written, as root and as a user whom a mode keeps out. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { removeTree } from '../../../lib/system/remove-tree.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-remove-'));
});
afterEach(() => {
  execFileSync('rm', ['-rf', dir]);
});

test('goes deeper than a path can name', () => {
  const tree = join(dir, 'tree');
  mkdirSync(tree);
  const perl = 'chdir shift; my $n = "d" x 200; for (1 .. 60) { mkdir $n or die; chdir $n or die }';
  execFileSync('perl', ['-e', perl, tree]);
  removeTree(tree);
  expect(existsSync(tree)).toBe(false);
});

test('opens what is closed to its owner, and follows no link', () => {
  const [tree, outside] = [join(dir, 'tree'), join(dir, 'outside')];
  mkdirSync(join(tree, 'closed'), { recursive: true });
  writeFileSync(join(tree, 'closed', 'file'), '');
  mkdirSync(outside, { mode: 0o500 });
  writeFileSync(join(outside, 'kept'), '');
  symlinkSync(outside, join(tree, 'closed', 'link'));
  execFileSync('chmod', ['0', join(tree, 'closed')]);
  execFileSync('chmod', ['0500', outside]);
  removeTree(tree);
  expect([existsSync(tree), existsSync(join(outside, 'kept'))]).toEqual([false, true]);
  expect(execFileSync('stat', ['-c', '%a', outside], { encoding: 'utf8' })).toBe('500\n');
});

test('what is not there is no error', () => {
  expect(() => removeTree(join(dir, 'nothing'))).not.toThrow();
});
