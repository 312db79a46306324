import { describe, expect, test } from 'vitest';
import { checkUrl } from '../../../../lib/gateway/policy/explain.ts';
import { compilePolicy } from '../../../../lib/gateway/policy/policy.ts';

const policy = compilePolicy({
  allow: [
    { pattern: 'api.ok.test', text: 'api.ok.test', file: '/p/sandbox.toml', line: 4 },
    { pattern: 'api.ok.test:22' },
    { pattern: '0.0.0.0/0' },
  ],
  deny: [{ pattern: 'bad.ok.test', text: 'bad.ok.test', file: '/p/sandbox.toml', line: 9 }],
});

describe('net check', () => {
  test.each([
    ['api.ok.test', 'rule'],
    ['https://API.ok.test./x?y#z', 'rule'],
    ['ssh://git@api.ok.test/r.git', 'rule'],
    ['api.ok.test:8443', 'default-deny'],
    ['http://api.ok.test/', 'default-deny'],
    ['http://api.ok.test:443/', 'not-tls'],
    ['https://bad.ok.test:9/', 'deny-rule'],
    ['10.0.0.1', 'private-address'],
    ['8.8.8.8', 'rule'],
    ['127.1', 'odd-address'],
  ])('%s: %s', (text, reason) => expect(checkUrl(policy, text)?.reason).toBe(reason));

  test('names the rule with its place, and the way to allow', () => {
    expect(checkUrl(policy, 'api.ok.test')?.detail).toBe('allowed by the rule api.ok.test (/p/sandbox.toml:4)');
    expect(checkUrl(policy, 'bad.ok.test')?.hint).toContain('/p/sandbox.toml:9');
    expect(checkUrl(policy, 'h.test:8443')?.hint).toContain('"h.test:8443"');
  });

  test.each(['', 'u@api.ok.test', 'gopher://api.ok.test', 'a b', 'https://'])('%j is not an address', (text) =>
    expect(checkUrl(policy, text)).toBeUndefined(),
  );
});

test('in mode observe it says that only the mode lets it out, and what stays shut', () => {
  const observing = compilePolicy({ mode: 'observe', allow: [], deny: [] });
  expect(checkUrl(observing, 'new.test')).toMatchObject({
    allow: true,
    reason: 'default-deny',
    detail: 'no allow rule covers it, but mode "observe" lets it through',
    hint: expect.stringContaining('sbx net suggest'),
  });
  expect(checkUrl(observing, '10.0.0.5:80')).toMatchObject({ allow: false, reason: 'private-address' });
});

describe('a host with rules by method and path', () => {
  const narrowed = compilePolicy({
    allow: [{ pattern: 'api.ok.test' }],
    deny: [],
    http: [{ host: 'api.ok.test', methods: ['GET'], paths: ['/v1/**'], file: '/p/sandbox.toml', line: 12 }],
  });
  test.each([
    ['https://api.ok.test/v1/a?b', undefined, 'rule'],
    ['api.ok.test/v1/a', 'GET', 'rule'],
    ['https://api.ok.test/v1/a', 'POST', 'http-rule'],
    ['https://api.ok.test/v2', 'GET', 'http-rule'],
    ['https://api.ok.test?v1', 'GET', 'http-rule'],
    ['https://api.ok.test/v1/%2e%2e/v2', 'GET', 'bad-request'],
  ])('%s %s: %s', (text, method, reason) => expect(checkUrl(narrowed, text, method)?.reason).toBe(reason));

  test('is explained with the rule, and without a path it is said that one matters', () => {
    expect(checkUrl(narrowed, 'https://api.ok.test/v1/a')?.detail).toContain(
      'GET api.ok.test /v1/** (/p/sandbox.toml:12)',
    );
    expect(checkUrl(narrowed, 'https://api.ok.test/v2')?.hint).toContain('/p/sandbox.toml:12');
    expect(checkUrl(narrowed, 'api.ok.test')).toMatchObject({ allow: true, hint: expect.stringContaining('--method') });
  });
});
