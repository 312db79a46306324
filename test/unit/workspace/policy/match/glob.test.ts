import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileGlob, isExact } from '../../../../../lib/workspace/policy/match/glob.ts';

test.each([
  ['.env', '.env', true],
  ['.env', 'a/b/.env', true],
  ['.env', '.env.local', false],
  ['.env', 'x.env', false],
  ['.env.*', 'a/.env.local', true],
  ['/.env', 'a/.env', false],
  ['conf/token', 'conf/token', true],
  ['conf/token', 'a/conf/token', false],
  ['*.pem', 'a/b/c.pem', true],
  ['*.pem', 'pem', false],
  ['a/*/c', 'a/b/c', true],
  ['a/*/c', 'a/b/b/c', false],
  ['a/**/c', 'a/c', true],
  ['a/**/c', 'a/b/b/c', true],
  ['**/c', 'c', true],
  ['**/c', 'a/b/c', true],
  ['a/**', 'a/b/c', true],
  ['a/**', 'a', false],
  ['id_?', 'id_1', true],
  ['id_?', 'id_', false],
  ['[abc].key', 'b.key', true],
  ['[!abc].key', 'b.key', false],
  ['[a-c]', 'b', true],
  ['[]]', ']', true],
  ['[a', '[a', true],
  ['\\*', '*', true],
  ['\\*', 'a', false],
  ['a+(b)$', 'a+(b)$', true],
])('%s on %s: %s', (glob, path, expected) => {
  expect(compileGlob(glob)(path, false)).toBe(expected);
});

test('a slash at the end means folders', () => {
  expect(compileGlob('secrets/')('a/secrets', true)).toBe(true);
  expect(compileGlob('secrets/')('a/secrets', false)).toBe(false);
});

test('a plain name matches itself, at any depth', () => {
  const name = fc.stringMatching(/^[a-z.][a-z0-9._-]{0,12}$/).filter((one) => one !== '.' && one !== '..');
  fc.assert(
    fc.property(name, fc.array(name, { maxLength: 5 }), (last, folders) => {
      expect(isExact(last)).toBe(true);
      expect(compileGlob(last)([...folders, last].join('/'), false)).toBe(true);
    }),
  );
});

test('a pattern made to be slow is not', () => {
  const matches = compileGlob(`${'**/'.repeat(50)}${'*a'.repeat(100)}b`);
  let steps = 0;
  const path = Array.from({ length: 100 }, () => 'a'.repeat(200)).join('/');
  for (; steps < 20; steps += 1) expect(matches(path, false)).toBe(false);
});
