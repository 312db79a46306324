import { expect, test } from 'vitest';
import { keyOf, narrowest } from '../../../lib/secrets/scope.ts';
import type { SecretInfo, SecretScope } from '../../../lib/secrets/types.ts';

const info = (name: string, scope: SecretScope): SecretInfo => ({
  name,
  scope,
  source: { kind: 'value' },
  store: 'file',
  setAt: '2026-01-01T00:00:00.000Z',
});
const all = info('k', { kind: 'all' });
const project = info('k', { kind: 'project', dir: '/p' });
const sandbox = info('k', { kind: 'sandbox', dir: '/p', name: 'a' });
const secrets = [all, project, sandbox, info('other', { kind: 'all' })];

test.each([
  ['its own', { dir: '/p', name: 'a' }, sandbox],
  ["its project's", { dir: '/p', name: 'b' }, project],
  ["everybody's", { dir: '/q', name: 'a' }, all],
])('a sandbox gets the narrowest: %s', (_name, sandbox, found) => expect(narrowest(secrets, 'k', sandbox)).toBe(found));

test('one of another project or sandbox is none', () => {
  expect(narrowest([project, sandbox], 'k', { dir: '/q', name: 'a' })).toBeUndefined();
  expect(narrowest([sandbox], 'k', { dir: '/p', name: 'b' })).toBeUndefined();
});

test('each scope has a key of its own', () => {
  const scopes: SecretScope[] = [
    { kind: 'all' },
    { kind: 'project', dir: '/p' },
    { kind: 'project', dir: '/pa' },
    { kind: 'sandbox', dir: '/p', name: 'a' },
    { kind: 'sandbox', dir: '/pa', name: '' },
  ];
  expect(new Set(scopes.map((scope) => keyOf('k', scope))).size).toBe(scopes.length);
});
