import { describe, expect, test } from 'vitest';
import { noticesOf } from '../../../../lib/daemon/project/notices.ts';
import type { CredentialSpec } from '../../../../lib/spec/spec.ts';
import { rule, spec } from '../../plan/spec.ts';

const one = (change: Partial<CredentialSpec> = {}): CredentialSpec => ({
  secret: 'key',
  env: 'API_KEY',
  host: 'api.test',
  header: 'x-api-key',
  format: '{}',
  source: { file: '/project/sandbox.toml', line: 6, column: 3 },
  ...change,
});
const network = { mode: 'enforce', allow: [rule('api.test')], deny: [], http: [] } as const;
const messages = (credentials: CredentialSpec[], set: string[] = [], change = {}) =>
  noticesOf([
    {
      spec: spec({ credentials, network: { ...network, allow: [rule('api.test')], ...change } as never }),
      isSet: (name) => set.includes(name),
    },
  ]).map(({ message }) => message);

describe('notices', () => {
  test('nothing is to say when the secret is set and the host is reached', () => {
    expect(messages([one()], ['key'])).toEqual([]);
  });

  test('a secret that is not set: which command helps', () => {
    expect(messages([one()])).toEqual(['no secret for api.test is set: run `sbx secret set key`']);
  });

  test('alternatives are told allOrAbort, and one of them is enough', () => {
    const two = [one(), one({ secret: 'oauth', env: 'OAUTH', header: 'authorization' })];
    expect(messages(two)).toEqual([
      'no secret for api.test is set: run `sbx secret set key` or `sbx secret set oauth`',
    ]);
    expect(messages(two, ['oauth'])).toEqual([]);
  });

  test('a host that no allow rule covers, or that a deny rule shuts, with its line', () => {
    expect(messages([one({ host: 'other.test' })], ['key'])).toEqual([
      'API_KEY is for other.test, which no request can reach: no allow rule covers it (/project/sandbox.toml:6)',
    ]);
    expect(messages([one({ host: 'api.test:8443' })], ['key'])).toHaveLength(1);
    expect(messages([one()], ['key'], { deny: [rule('api.test', 9)] })[0]).toMatch(/denied by the rule api\.test/);
    expect(messages([one({ host: 'other.test' })], ['key'], { mode: 'observe' })).toHaveLength(1);
  });

  test('what several sandboxes share is told once', () => {
    const facts = { spec: spec({ credentials: [one()] }), isSet: () => false };
    expect(noticesOf([facts, facts])).toHaveLength(2);
  });
});

describe('hidden files that git tracks', () => {
  const hidden = (files: string[]) =>
    noticesOf([{ spec: spec({ sources: {} }), isSet: () => true, trackedHidden: files }]).map(({ message }) => message);

  test('are one notice, with the way out', () => {
    const [message, ...more] = hidden(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
    expect(more).toEqual([]);
    expect(message).toContain('a, b, c, d, e and 2 more');
    expect(message).toContain('`git rm --cached`');
  });

  test('are none where there are none', () => {
    expect(hidden([])).toEqual([]);
  });
});
