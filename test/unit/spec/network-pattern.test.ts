import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parsePattern as gatewayParses } from '../../../lib/gateway/policy/pattern.ts';
import { parsePattern, presetOf } from '../../../lib/spec/network-pattern.ts';

const GOOD = [
  'api.github.com',
  'API.GitHub.com',
  'localhost',
  '_dns.a-b.test',
  '*.example.com:443',
  '**.example.com:1-65535',
  '10.1.2.0/24:5432',
  '10.1.2.3',
  '0.0.0.0/0:22',
  '::1',
  '2001:db8::/32',
  '[2001:db8::1]:8443',
  '[2001:db8::]/32:1-2',
];

const BAD = [
  '',
  ' a.test',
  'a.test ',
  'a..test',
  '-a.test',
  'a-.test',
  `${'a'.repeat(64)}.test`,
  `${'a.'.repeat(127)}a`,
  '*',
  '**',
  '*.',
  '*.*.test',
  'a*.test',
  'a.*.test',
  '*.10.0.0.1',
  '127.1',
  '0177.0.0.1',
  '0x7f.1',
  '2130706433',
  '1.2.3.256',
  '1.2.3.4/33',
  '1.2.3.4/08',
  'a.test:0',
  'a.test:080',
  'a.test:65536',
  'a.test:',
  'a.test:2-1',
  'a.test:1-2-3',
  'http://a.test',
  'a.test/x',
  'u@a.test',
  'a%2etest',
  'a.test\0',
  'a.test\n',
  'bücher.test',
  '[::1',
  '::1]:80',
  '::g',
  ':::',
  '1:2:3',
  '::/129',
  'fe80::1%eth0',
];

test.each(GOOD)('%j is valid, here and in the gateway', (text) => {
  expect(parsePattern(text)).toBe(true);
  expect(gatewayParses(text.toLowerCase())).toBeDefined();
});

test.each(BAD)('%j is invalid, here and in the gateway', (text) => {
  expect(parsePattern(text)).toBe(false);
  expect(gatewayParses(text.toLowerCase())).toBeUndefined();
});

test.each(['npm', 'apt', 'pip'])('preset:%s is a preset', (name) => {
  expect(parsePattern(`preset:${name}`)).toBe(true);
  expect(presetOf(`preset:${name}`)).toBe(name);
});

test('the gateway accepts every pattern that is accepted here', () => {
  const piece = fc.constantFrom(
    'a',
    'b-',
    '.',
    '..',
    '*',
    '**.',
    '1',
    '0',
    '255',
    '10.0.0.1',
    ':',
    '::',
    '/',
    '24',
    '[',
    ']',
    '-',
    '443',
    'x.test',
    'ff',
    '%',
  );
  const texts = fc.array(piece, { maxLength: 7 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(texts, (text) => {
      if (parsePattern(text)) expect(gatewayParses(text.toLowerCase()), text).toBeDefined();
    }),
    { numRuns: 20_000 },
  );
});
