import toml from '@iarna/toml';
import fc from 'fast-check';
import { ParseError } from 'toml-eslint-parser';
import { describe, expect, test } from 'vitest';
import { findPositions } from '../../../../lib/config/toml/positions.ts';
import { pathOf } from '../../../../lib/spec/path-of.ts';

const FILE = '/p/sandbox.toml';

function scan(text: string, maxDepth = 32) {
  return findPositions(text, { file: FILE, maxDepth });
}

/** The rest of the line from a place. */
function textAt(text: string, place: { line: number; column: number }): string {
  return (text.split('\n')[place.line - 1] ?? '').slice(place.column - 1);
}

describe('findPositions', () => {
  test.each<[string, string, (string | number)[], string, string]>([
    ['a plain pair', 'a = 1', ['a'], 'a = 1', '1'],
    ['a table', '[t]\n  b = "x"', ['t', 'b'], 'b = ', '"x"'],
    ['a table itself', '\n[ t . u ]', ['t', 'u'], 'u ]', 'u ]'],
    ['a parent that only a header names', '[t.u]\nx = 1', ['t'], 't.u', 't.u'],
    ['dotted keys', 'a.b . c = 5', ['a', 'b', 'c'], 'c = 5', '5'],
    ['the middle of dotted keys', 'a.b.c = 5', ['a', 'b'], 'b.c', 'b.c'],
    ['quoted keys', '"a.b" = 1', ['a.b'], '"a.b"', '1'],
    ['quoted keys with escapes', '"a\\u0062\\t" = 1', ['ab\t'], '"a\\u', '1'],
    ['literal keys', "'a\\' = 1", ['a\\'], "'a\\'", '1'],
    ['an inline table', 'a = { b = 1, c = { d = 2 } }', ['a', 'c', 'd'], 'd = 2', '2'],
    ['an array', 'a = [1, 22,\n  # no\n  333]', ['a', 2], '333', '333'],
    ['an array of arrays', 'a = [[1], [2, 3]]', ['a', 1, 1], '3', '3'],
    ['tables in an array', 'a = [{ b = 1 }, { b = 2 }]', ['a', 1, 'b'], 'b = 2', '2'],
    ['an array of tables', '[[m]]\nx = 1\n[[m]]\nx = 2', ['m', 1, 'x'], 'x = 2', '2'],
    ['an element of it', '[[m]]\nx = 1\n[[m]]\nx = 2', ['m', 1], 'm]]', 'm]]'],
    ['a table below it', '[[m]]\n[m.n]\ny = 1\n[[m]]\n[m.n]\ny = 2', ['m', 1, 'n', 'y'], 'y = 2', '2'],
    ['arrays of tables in one another', '[[a]]\n[[a.b]]\n[[a.b]]\nc = 7', ['a', 0, 'b', 1, 'c'], 'c = 7', '7'],
    ['a key after a multi-line string', 'a = """\nb = 1\n"quoted" """\nb = 2', ['b'], 'b = 2', '2'],
    ['quotes at the end of a multi-line string', 'a = """x"""""\nb = 2', ['b'], 'b = 2', '2'],
    ['an escaped quote', 'a = "x\\" # b = 1"\nb = 2', ['b'], 'b = 2', '2'],
    ['a literal string that ends in a backslash', "a = 'x\\'\nb = 2", ['b'], 'b = 2', '2'],
    ['brackets in strings', 'a = ["]", "["]\nb = 2', ['b'], 'b = 2', '2'],
    ['comments with brackets', '# [x]\nb = 2 # [y]\nc = 3', ['c'], 'c = 3', '3'],
    ['CRLF line ends', 'a = 1\r\n[t]\r\nb = 2\r\n', ['t', 'b'], 'b = 2', '2'],
    ['a table that is opened twice', '[a.b]\nx = 1\n[a]\ny = 2', ['a', 'y'], 'y = 2', '2'],
  ])('%s', (_, text, path, key, value) => {
    const positions = scan(text);
    expect(textAt(text, positions.keyAt(path))).toMatch(startsWith(key));
    expect(textAt(text, positions.valueAt(path))).toMatch(startsWith(value));
  });

  test('a path without a place has the place of its parent', () => {
    expect(scan('\n[t]\na = 1').keyAt(['t', 'missing'])).toEqual({ file: FILE, line: 2, column: 2 });
    expect(scan('a = 1').keyAt(['missing'])).toEqual({ file: FILE, line: 1, column: 1 });
  });

  test.each([
    ['arrays', `a = ${'['.repeat(5)}${']'.repeat(5)}`, 8],
    ['arrays beyond the stack of the parser', `a = ${'['.repeat(50_000)}${']'.repeat(50_000)}`, 8],
    ['dotted keys', 'a.b.c.d = 1', 7],
    ['headers', '[a.b.c.d]', 8],
    ['inline tables', 'a = { b = { c = { d = 1 } } }', 19],
  ])('stops at the first %s that go too deep', (_, text, column) => {
    const place = scan(text, 3).tooDeep;
    expect(place).toMatchObject({ line: 1 });
    expect(place?.column).toBe(column);
  });

  test('takes time in proportion to the text', () => {
    const count = 100_000;
    for (const text of [
      `${'a.'.repeat(count)}a = 1`,
      `[${'a.'.repeat(count)}a]`,
      `a = ${'['.repeat(count)}${']'.repeat(count)}`,
      ' '.repeat(count),
      '#\n'.repeat(count),
      `a = "${'\\"'.repeat(count)}"`,
      `a = [${'1,'.repeat(count)}]`,
    ])
      expect(scan(text).keyAt(['nothing'])).toEqual({ file: FILE, line: 1, column: 1 });
  });

  test('any text: a parse error or places inside the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab.=[]{}"\'\\#,\n\r 1'), maxLength: 60 }), (text) => {
        try {
          expect(scan(text).valueAt(['a', 'b']).line).toBeLessThanOrEqual(text.split('\n').length);
        } catch (error) {
          expect(error).toBeInstanceOf(ParseError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('the value of every key is at its place', () => {
    fc.assert(
      fc.property(documents, (text) => {
        const positions = scan(text);
        for (const [path, value] of leaves(toml.parse(text), [])) {
          expect(textAt(text, positions.valueAt(path)), `${pathOf(path)} in\n${text}`).toMatch(startsWith(`${value}`));
          expect(readKey(textAt(text, positions.keyAt(path)), value)).toBe(path.at(-1));
        }
      }),
      { numRuns: 500 },
    );
  });
});

test('pathOf distinguishes similar paths', () => {
  expect(pathOf(['env', 'A', 0])).toBe('env.A[0]');
  expect(pathOf(['a.b'])).toBe('"a.b"');
  expect(pathOf(['a', 'b'])).toBe('a.b');
  expect(pathOf(['$import'])).toBe('"$import"');
});

function startsWith(text: string): RegExp {
  return new RegExp(`^${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`);
}

/** Documents whose leaves are distinct numbers: number N is the value of the key `kN`. */
const documents = fc
  .array(fc.constantFrom('pair', 'quoted', 'dotted', 'inline', 'array', 'table', 'tables', 'noise'), {
    minLength: 1,
    maxLength: 12,
  })
  .map(write);

function write(kinds: string[]): string {
  let next = 100;
  const pair = () => `k${next} = ${next++}`;
  return kinds
    .map((kind, index) => {
      const name = `n${index}`;
      if (kind === 'pair') return pair();
      if (kind === 'quoted') return `"k${next}" = ${next++} # = 5`;
      if (kind === 'dotted') return `${name}.'x y'.${pair()}`;
      if (kind === 'inline') return `${name} = { ${pair()}, in.${pair()} }`;
      if (kind === 'array') return `${name} = [ # [\n  { ${pair()} },\n  { ${pair()}, s = [{ ${pair()} }] },\n]`;
      if (kind === 'table') return `[${name}]\n${pair()}\n  ${pair()}`;
      if (kind === 'tables') return `[[${name}]]\n${pair()}\n[[${name}]]\n${pair()}\n[${name}.sub]\n${pair()}`;
      return `k${next} = ${next++}\n"t\\"${index}" = """\nk1 = 1 \\""" ]"""`;
    })
    .join('\n');
}

function leaves(value: unknown, path: (string | number)[]): [path: (string | number)[], value: number][] {
  if (typeof value === 'number') return [[path, value]];
  if (Array.isArray(value)) return value.flatMap((item, index) => leaves(item, [...path, index]));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => leaves(item, [...path, key]));
}

/** `k100 = 100` and `"k100" = 100` → `k100`. */
function readKey(text: string, value: number): string | undefined {
  return new RegExp(`^"?(k${value})"?\\s*=`).exec(text)?.[1];
}
