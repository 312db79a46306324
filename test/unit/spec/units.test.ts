import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nearest } from '../../../lib/config/load/did-you-mean.ts';
import { canonicalHash } from '../../../lib/config/load/hash.ts';
import { formatDuration, parseDuration, parseSize } from '../../../lib/spec/units.ts';

test.each<[string, number | undefined]>([
  ['2GiB', 2 * 1024 ** 3],
  ['512 MiB', 512 * 1024 ** 2],
  ['1.5GB', 1.5e9],
  ['1TiB', 1024 ** 4],
  ['100KB', 100_000],
  ['2', undefined],
  ['2G', undefined],
  ['2gib', undefined],
  ['-1GiB', undefined],
  ['1e3GiB', undefined],
  ['0x1GiB', undefined],
  ['2GiB ', undefined],
  ['٣GiB', undefined],
  ['2GiB\n', undefined],
  [`${'9'.repeat(400)}GiB`, undefined],
])('the size %j is %s', (text, bytes) => expect(parseSize(text)).toBe(bytes));

test.each<[string, number | undefined]>([
  ['0', 0],
  ['0s', 0],
  ['90s', 90],
  ['30m', 1800],
  ['1h30m', 5400],
  ['2d', 172_800],
  ['', undefined],
  ['5', undefined],
  ['2 h', undefined],
  ['-1h', undefined],
  ['1.5h', undefined],
  ['2H', undefined],
  [`${'9'.repeat(20)}h`, undefined],
])('the duration %j is %s', (text, seconds) => expect(parseDuration(text)).toBe(seconds));

test.each([
  ['alow', 'allow'],
  ['nmae', 'name'],
  ['Cpus', 'cpus'],
  ['memmory', 'memory'],
  ['zebra', undefined],
  ['', undefined],
])('%s is most likely %s', (word, known) => {
  expect(nearest(word, ['allow', 'deny', 'name', 'cpus', 'memory'])).toBe(known);
});

test('equal values have one hash, in whatever order their keys stand', () => {
  expect(canonicalHash({ a: 1, b: { c: [1, 2], d: undefined } })).toBe(canonicalHash({ b: { c: [1, 2] }, a: 1 }));
  expect(canonicalHash([1, 2])).not.toBe(canonicalHash([2, 1]));
  expect(canonicalHash({ a: '1' })).not.toBe(canonicalHash({ a: 1 }));
  expect(canonicalHash(['a,b'])).not.toBe(canonicalHash(['a', 'b']));
  expect(() => canonicalHash(Number.NaN)).toThrow(TypeError);
  expect(() => canonicalHash([undefined])).toThrow(TypeError);
});

test('different values have different hashes', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
      const shuffled = JSON.parse(JSON.stringify(a)) as unknown;
      expect(canonicalHash(shuffled)).toBe(canonicalHash(a));
      // JSON has no -0
      const isSame = JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
      expect(canonicalHash(a) === canonicalHash(b)).toBe(isSame);
    }),
  );
});

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, item]) => ['key', key, sorted(item)])
    .concat([['object']]);
}

test.each(['0', '45s', '30m', '2h', '1h30m', '1d', '2d3h4m5s'])('%s is said as it is written', (text) =>
  expect(formatDuration(parseDuration(text) ?? Number.NaN)).toBe(text),
);
