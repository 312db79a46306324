import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { parseAuthority } from '../../../../lib/gateway/address/canonical-host.ts';
import { compilePolicy, decide, decideAddress, policyHash } from '../../../../lib/gateway/policy/policy.ts';
import type { PolicyRule } from '../../../../lib/gateway/policy/types.ts';

const rules = (...patterns: string[]): PolicyRule[] => patterns.map((pattern) => ({ pattern }));

function asks(allow: string[], deny: string[], authority: string): string {
  const endpoint = parseAuthority(authority);
  if (endpoint === undefined) return 'malformed';
  return decide(compilePolicy({ allow: rules(...allow), deny: rules(...deny) }), endpoint).reason;
}

describe('the verdict by name', () => {
  test.each([
    [['h.test'], [], 'h.test:443', 'rule'],
    [['h.test'], [], 'h.test:80', 'default-deny'],
    [['h.test:80'], [], 'h.test:443', 'default-deny'],
    [['h.test:1000-2000'], [], 'h.test:1000', 'rule'],
    [['h.test:1000-2000'], [], 'h.test:2001', 'default-deny'],
    [['h.test'], [], 'x.h.test:443', 'default-deny'],
    [['*.h.test'], [], 'x.h.test:443', 'rule'],
    [['*.h.test'], [], 'x.y.h.test:443', 'default-deny'],
    [['*.h.test'], [], 'h.test:443', 'default-deny'],
    [['**.h.test'], [], 'x.y.h.test:443', 'rule'],
    [['**.h.test'], [], 'h.test:443', 'default-deny'],
    [['**.h.test'], [], 'xh.test:443', 'default-deny'],
    [['10.0.0.0/8'], [], '10.1.2.3:443', 'rule'],
    [['10.0.0.0/8'], [], '[::ffff:10.1.2.3]:443', 'rule'],
    [['::ffff:10.0.0.0/104'], [], '10.1.2.3:443', 'rule'],
    [['[2001:db8::]/32:8443'], [], '[2001:db8::1]:8443', 'rule'],
    [['1.2.3.4'], [], '1.2.3.4:443', 'rule'],
    [['h.test'], ['h.test'], 'h.test:443', 'deny-rule'],
    [['**.h.test'], ['*.h.test'], 'x.h.test:443', 'deny-rule'],
    [['h.test:8080'], ['h.test'], 'h.test:8080', 'deny-rule'],
    [['h.test', 'h.test:8080'], ['h.test:8080'], 'h.test:443', 'rule'],
    [['0.0.0.0/0'], ['10.0.0.0/8'], '10.1.2.3:443', 'deny-rule'],
    [['::/0'], ['8.8.8.8'], '[2002:808:808::1]:443', 'deny-rule'],
    [['0.0.0.0/0'], [], 'h.test:443', 'default-deny'],
    [['127.0.0.1'], [], '127.1:443', 'odd-address'],
    [[], [], 'h.test:443', 'default-deny'],
  ])('allow %j, deny %j: %s → %s', (allow, deny, authority, reason) =>
    expect(asks(allow, deny, authority)).toBe(reason),
  );

  test.each([
    '',
    '*',
    '*.',
    '**',
    'a*.test',
    '*.*.test',
    'h.test:0',
    'h.test:9-1',
    'h.test:1-2-3',
    'http://h.test',
    'h.test/x',
    '1.2.3.4/33',
    '10.0.0.0/08',
    '::1/129',
    '::ffff:10.0.0.0/90',
    '*.1.2.3.4',
    '127.1',
    '[1.2.3.4]:443',
    'preset:npm',
  ])('a malformed pattern %j opens nothing: it is an error', (pattern) => {
    expect(() => compilePolicy({ allow: rules(pattern), deny: [] })).toThrow('invalid network pattern');
    expect(() => compilePolicy({ allow: [], deny: rules(pattern) })).toThrow('invalid network pattern');
  });

  const pattern = fc.constantFrom(
    'a.test',
    '*.a.test',
    '**.a.test',
    'b.a.test:1-9',
    '10.0.0.0/8',
    '10.1.2.3',
    '::/0',
    '**.test:443',
  );
  const list = fc.array(pattern, { maxLength: 5 });
  const target = fc.constantFrom(
    'a.test:443',
    'b.a.test:443',
    'c.b.a.test:443',
    'b.a.test:5',
    '10.1.2.3:443',
    '[::2]:443',
    'x.test:443',
  );

  test('one more deny rule never allows anything; one more allow rule never denies', () => {
    fc.assert(
      fc.property(list, list, pattern, target, (allow, deny, more, authority) => {
        const before = asks(allow, deny, authority);
        if (before !== 'rule') expect(asks(allow, [...deny, more], authority)).not.toBe('rule');
        if (before === 'rule') expect(asks([...allow, more], deny, authority)).toBe('rule');
      }),
    );
  });

  test('the order never matters, for the verdict or the hash', () => {
    fc.assert(
      fc.property(list, list, target, (allow, deny, authority) => {
        expect(asks(allow.toReversed(), deny.toReversed(), authority)).toBe(asks(allow, deny, authority));
        const hash = (a: string[], d: string[]) => policyHash({ allow: rules(...a), deny: rules(...d) });
        expect(hash(allow.toReversed(), deny.toReversed())).toBe(hash(allow, deny));
        if (allow.length > 0) expect(hash(allow, [...deny, ...allow])).not.toBe(hash(allow, deny));
      }),
    );
  });
});

describe('the verdict by address', () => {
  const own = ['192.168.7.5', '198.41.0.4', '127.0.0.1'];
  const led = (allow: PolicyRule[], address: string, port = 443) => {
    const policy = compilePolicy({ allow: [...rules(`h.test:${port}`), ...allow], deny: [] });
    const endpoint = { host: 'h.test', kind: 'name', port } as const;
    return decideAddress(policy, { verdict: decide(policy, endpoint), address, port, own }).reason;
  };

  test.each([
    ['nothing', [], '93.184.215.14', 443, 'rule'],
    ['nothing', [], '2606:2800:21f:cb07:6820:80da:af6b:8b2c', 443, 'rule'],
    ['nothing', [], '10.0.0.1', 443, 'private-address'],
    ['the address', ['10.0.0.1'], '10.0.0.1', 443, 'rule'],
    ['the address on another port', ['10.0.0.1:80'], '10.0.0.1', 443, 'private-address'],
    ['a block of its range', ['10.0.0.0/16:5432'], '10.0.9.9', 5432, 'rule'],
    ['everything', ['0.0.0.0/0'], '10.0.0.1', 443, 'private-address'],
    ['everything', ['0.0.0.0/0'], '127.0.0.2', 443, 'private-address'],
    ['everything', ['::/0'], 'fd00::1', 443, 'private-address'],
    ['its own range', ['fd00::/8'], 'fd00::1', 443, 'rule'],
    ['the range around metadata', ['169.254.0.0/16'], '169.254.169.254', 443, 'private-address'],
    ['metadata by address', ['169.254.169.254'], '169.254.169.254', 443, 'rule'],
    ["the range around the host's own", ['192.168.0.0/16'], '192.168.7.5', 443, 'private-address'],
    ["the host's own by address", ['192.168.7.5'], '192.168.7.5', 443, 'rule'],
    ["the range around the host's public one", ['198.41.0.0/24'], '198.41.0.4', 443, 'private-address'],
  ])('opened by %s %j: %s:%i → %s', (_what, allow, address, port, reason) =>
    expect(led(rules(...allow), address, port)).toBe(reason),
  );

  test("a rule of the host's own configuration leads anywhere, but a deny rule still wins", () => {
    const policy = compilePolicy({ allow: [{ pattern: 'h.test', trusted: true }], deny: rules('10.0.0.0/8') });
    const verdict = decide(policy, { host: 'h.test', kind: 'name', port: 443 });
    const at = (address: string) => decideAddress(policy, { verdict, address, port: 443, own }).reason;
    expect(at('192.168.1.1')).toBe('rule');
    expect(at('10.0.0.1')).toBe('deny-rule');
  });
});

describe('a rule that ends', () => {
  test('covers nothing from its end on, by name and by address, though the policy still holds it', () => {
    vi.useFakeTimers({ now: 1_000 });
    onTestFinished(() => void vi.useRealTimers());
    const allow = ['h.test', '10.0.0.1'].map((pattern) => ({ pattern, until: 2_000 }));
    const policy = compilePolicy({ allow, deny: [] });
    const name = { host: 'h.test', kind: 'name', port: 443 } as const;
    const verdict = decide(policy, name);
    const led = () => decideAddress(policy, { verdict, address: '10.0.0.1', port: 443, own: [] }).reason;
    const seen = () => [decide(policy, name).reason, led()];
    expect(seen()).toEqual(['rule', 'rule']);
    vi.setSystemTime(1_999);
    expect(seen()).toEqual(['rule', 'rule']);
    vi.setSystemTime(2_000);
    expect(seen()).toEqual(['default-deny', 'private-address']);
  });

  test('with another end it is another policy', () => {
    const hash = (until?: number) =>
      policyHash({ allow: [{ pattern: 'h.test', ...(until === undefined ? {} : { until }) }], deny: [] });
    expect(new Set([hash(), hash(1), hash(2)]).size).toBe(3);
  });
});
