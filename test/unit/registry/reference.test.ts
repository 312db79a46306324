import { describe, expect, test } from 'vitest';
import { isReference, parseReference, pinnedReference } from '../../../lib/registry/reference.ts';

const DIGEST = `sha256:${'a1'.repeat(32)}`;

describe('a reference', () => {
  test.each([
    ['debian:12', undefined, 'debian', '12', undefined],
    ['debian', undefined, 'debian', 'latest', undefined],
    ['library/debian', undefined, 'library/debian', 'latest', undefined],
    ['localhost/dev', 'localhost', 'dev', 'latest', undefined],
    ['localhost:5000/team/dev:1', 'localhost:5000', 'team/dev', '1', undefined],
    ['registry.test/dev', 'registry.test', 'dev', 'latest', undefined],
    ['[::1]:5000/dev:2', '[::1]:5000', 'dev', '2', undefined],
    [`registry.test/team/dev@${DIGEST}`, 'registry.test', 'team/dev', undefined, DIGEST],
    [`registry.test/team/dev:1@${DIGEST}`, 'registry.test', 'team/dev', '1', DIGEST],
    ['team_a/dev__x/y-z.w:A_b.c', undefined, 'team_a/dev__x/y-z.w', 'A_b.c', undefined],
  ])('%s', (text, registry, repository, tag, digest) => {
    expect(parseReference(text)).toEqual({ registry, repository, tag, digest });
  });

  test.each([
    '',
    'UPPER/case',
    'registry.test/',
    'registry.test/../admin',
    'registry.test/a//b',
    'registry.test/a:../../x',
    'user:pass@registry.test/a',
    'https://registry.test/a',
    'registry.test/a?x=1',
    'registry.test/a#x',
    'registry.test/a%2fb',
    'registry.test/a b',
    'registry.test/a\nb',
    'registry.test:99999/a',
    'registry.test/a@sha256:abc',
    `registry.test/a@sha512:${'a'.repeat(64)}`,
    `a/${'b'.repeat(600)}`,
  ])('is refused: %j', (text) => {
    expect(isReference(text)).toBe(false);
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: 'registry' }));
  });

  test('is pinned by a digest in place of the tag', () => {
    expect(pinnedReference('registry.test/team/dev:1', DIGEST)).toBe(`registry.test/team/dev@${DIGEST}`);
    expect(pinnedReference('debian:12', DIGEST)).toBe(`debian@${DIGEST}`);
  });

  test('a long name without an end is refused in linear time', () => {
    expect(isReference('a-'.repeat(250))).toBe(false);
    expect(isReference(`${'a.'.repeat(250)}!`)).toBe(false);
  });
});
