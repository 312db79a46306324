import { expect, test } from 'vitest';
import { parseChallenges } from '../../../lib/registry/challenge.ts';

test.each([
  ['Basic realm="a b"', [{ scheme: 'basic', parameters: { realm: 'a b' } }]],
  [
    'Bearer realm="https://auth.test/token",service="registry.test",scope="repository:a:pull,push"',
    [
      {
        scheme: 'bearer',
        parameters: { realm: 'https://auth.test/token', service: 'registry.test', scope: 'repository:a:pull,push' },
      },
    ],
  ],
  [
    'Bearer realm="https://auth.test", Basic realm=plain',
    [
      { scheme: 'bearer', parameters: { realm: 'https://auth.test' } },
      { scheme: 'basic', parameters: { realm: 'plain' } },
    ],
  ],
  ['Basic realm="quoted \\" quote"', [{ scheme: 'basic', parameters: { realm: 'quoted " quote' } }]],
  ['Negotiate', [{ scheme: 'negotiate', parameters: {} }]],
  ['', []],
  [undefined, []],
  ['=,=", "', []],
])('%j', (header, challenges) => {
  expect(parseChallenges(header)).toEqual(challenges);
});

test('several headers, each with its own', () => {
  expect(parseChallenges(['Basic realm=a', 'Bearer realm=b']).map(({ scheme }) => scheme)).toEqual(['basic', 'bearer']);
});
