import { describe, expect, test } from 'vitest';
import { checkUrl } from '../../../lib/gateway/explain.ts';
import { compilePolicy } from '../../../lib/gateway/policy.ts';

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
    detail: 'no allow rule covers it, but mode "observe" lets it out',
    hint: expect.stringContaining('sbx net suggest'),
  });
  expect(checkUrl(observing, '10.0.0.5:80')).toMatchObject({ allow: false, reason: 'private-address' });
});
