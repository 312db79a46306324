import { expect, test } from 'vitest';
import { nearest } from '../../../lib/config/load/did-you-mean.ts';
import { formatDuration, formatSize, parseDuration, parseSize } from '../../../lib/spec/units.ts';

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

test.each(['0', '45s', '30m', '2h', '1h30m', '1d', '2d3h4m5s'])('%s is said as it is written', (text) =>
  expect(formatDuration(parseDuration(text) ?? Number.NaN)).toBe(text),
);

test.each(['2 GiB', '1.2 GiB', '12.3 GiB', '1.5 GB', '512 MiB', '1.25 TiB'])('%s is said as it is written', (text) =>
  expect(formatSize(parseSize(text) ?? Number.NaN)).toBe(text),
);

test('a size that no text gives is said in bytes, exactly', () => {
  expect(formatSize(1_288_490_191)).toBe('1288490191 bytes');
});
