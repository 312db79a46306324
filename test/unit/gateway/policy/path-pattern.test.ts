import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ambiguityOf, coversPath, parsePathPattern } from '../../../../lib/gateway/policy/path-pattern.ts';

const covers = (pattern: string, path: string) => coversPath(parsePathPattern(pattern), path);

/** The same by a regular expression: an independent reading of the rules. */
function byExpression(pattern: string, path: string): boolean {
  const source = pattern
    .split(/(\*\*+|\*)/)
    .map((part) =>
      part === '*' ? '[^/]*' : part.startsWith('**') ? '[\\s\\S]*' : part.replace(/[.*+?^$()|[\]\\{}]/g, '\\$&'),
    )
    .join('');
  return new RegExp(`^${source}$`).test(path);
}

describe('a path pattern', () => {
  test.each([
    ['/v1/**', '/v1/', true],
    ['/v1/**', '/v1/a/b', true],
    ['/v1/**', '/v1', false],
    ['/v1/**', '/v10/a', false],
    ['/v1/*', '/v1/a', true],
    ['/v1/*', '/v1/a/b', false],
    ['/v1/*/c', '/v1/a/c', true],
    ['/v1/*/c', '/v1/a/b/c', false],
    ['/**/c', '/a/b/c', true],
    ['/a.c', '/abc', false],
    ['/A', '/a', false],
    ['/**', '/', true],
    ['/a%20b', '/a b', false],
    ['/***', '/x/y', true],
  ])('%s, %s: %s', (pattern, path, expected) => expect(covers(pattern, path)).toBe(expected));

  test('agrees with an independent reading', () => {
    const text = fc
      .array(fc.constantFrom('a', 'b', '/', '*', '**', '.'), { maxLength: 10 })
      .map((parts) => `/${parts.join('')}`);
    const path = fc.array(fc.constantFrom('a', 'b', '/', '.'), { maxLength: 12 }).map((parts) => `/${parts.join('')}`);
    fc.assert(
      fc.property(text, path, (pattern, one) => {
        expect(covers(pattern, one)).toBe(byExpression(pattern, one));
      }),
      {
        numRuns: 3_000,
      },
    );
  });

  test('that makes others despair takes work in proportion', () => {
    expect(covers('/**a**a**a**a**a**a**a**a**a**b', `/${'a'.repeat(30_000)}`)).toBe(false);
  });
});

test.each([
  '/v1/..;/x',
  '/%2e%2e/',
  '/a%2Fb',
  '//a',
  '/a//b',
  '/%5cx',
  '/\\x',
  '/..',
  '/a/.',
  '/.',
  '/%252e',
  '/%25252f',
  '/%00',
  '/a%0ab',
  '/a;b',
  '/%3B',
  '/%',
  '/%4',
  '/%zz',
  '/%3fx',
  '/..%20/x',
  '/.%20',
  '/%20../x',
  '/..%c2%a0/x',
  '/%25%32%65%25%32%65/x',
  '/a%25%32%66b',
  '/%25252525252e',
  '/%c0%ae%c0%ae/x',
  '/a%c0%afb',
  '/a%c1%9cb',
  '/%e0%80%ae/x',
  '/%f0%80%80%ae/x',
  '/a%25c0%25afb',
  '/%ff',
  '/%e9',
  '/%ef%bc%8e%ef%bc%8e/x',
  '/a%ef%bc%8fb',
  '/a%ef%bc%bcb',
  '/a%ef%bc%9bb',
  '/%e2%80%a5/x',
  '/%u002e%u002e/x',
])('%s is read in more than one way', (path) => expect(ambiguityOf(path)).toBeTypeOf('string'));

test.each([
  '/',
  '/a.b/..c',
  '/a%20b',
  '/%61',
  '/%25',
  '/a%25b',
  '/...',
  '/~a/@b:c,d',
  '/%e2%82%ac',
  '/%c3%a9/..a',
  '/100%25',
  '/a%2525b',
  '/%f0%9f%98%80',
  '/a|b"<c>',
])('%s is plain', (path) => expect(ambiguityOf(path)).toBeUndefined());

test('a path of more than 4 KiB is refused, and what is encoded many times over takes no longer than others', () => {
  expect(ambiguityOf(`/${'a'.repeat(4_095)}`)).toBeUndefined();
  expect(ambiguityOf(`/${'a'.repeat(4_096)}`)).toBe('more than 4 KiB of path');
  expect(ambiguityOf(`/${'%25'.repeat(1_300)}`)).toBeUndefined();
  expect(ambiguityOf(`/%${'25'.repeat(2_000)}2e`)).toBe('a path that is percent-encoded repeatedly');
});
