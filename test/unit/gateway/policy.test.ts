import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { refusedAddress } from '../../../lib/gateway/addresses.ts';
import { canonicalHost, parseAuthority, parsePort } from '../../../lib/gateway/host.ts';
import { coversAddress, coversName, type Pattern, parsePattern } from '../../../lib/gateway/pattern.ts';
import { compilePolicy, decide, decideAddress } from '../../../lib/gateway/policy.ts';
import type { PolicyInput } from '../../../lib/gateway/types.ts';

const label = fc.constantFrom('a', 'b', 'ok', 'xn--80ak6aa92e', 'bad', '_srv');
const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => [...labels, 'test'].join('.'));
const ports = fc.constantFrom('', ':443', ':80', ':1-65535');
const pattern = fc
  .tuple(
    fc.oneof(
      name,
      name.map((one) => `*.${one}`),
      name.map((one) => `**.${one}`),
    ),
    ports,
  )
  .map((parts) => parts.join(''));
const rules = fc.array(pattern, { maxLength: 6 }).map((all) => all.map((text) => ({ pattern: text })));
const port = fc.constantFrom(443, 80, 8443);

const allows = (input: PolicyInput, host: string, to: number) =>
  decide(compilePolicy(input), { host, port: to, literal: false }).allow;

function must(text: string): Pattern {
  const parsed = parsePattern(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

describe('properties of the verdict', () => {
  test('one more deny rule never lets more through', () => {
    fc.assert(
      fc.property(rules, rules, pattern, name, port, (allow, deny, more, host, to) => {
        const before = allows({ allow, deny }, host, to);
        const after = allows({ allow, deny: [...deny, { pattern: more }] }, host, to);
        expect(after && !before).toBe(false);
      }),
    );
  });

  test('one allow rule fewer never lets more through', () => {
    fc.assert(
      fc.property(rules, rules, name, port, (allow, deny, host, to) => {
        if (allows({ allow: allow.slice(1), deny }, host, to)) expect(allows({ allow, deny }, host, to)).toBe(true);
      }),
    );
  });

  test('a deny rule wins over every allow rule, in any order', () => {
    fc.assert(
      fc.property(rules, rules, name, port, (allow, deny, host, to) => {
        const input = { allow, deny };
        const turned = { allow: allow.toReversed(), deny: deny.toReversed() };
        expect(allows(turned, host, to)).toBe(allows(input, host, to));
        expect(compilePolicy(turned).hash).toBe(compilePolicy(input).hash);
        expect(allows({ allow, deny: [...deny, { pattern: `${host}:${to}` }] }, host, to)).toBe(false);
      }),
    );
  });

  test('1 an empty allow list denies every name and every address', () => {
    fc.assert(
      fc.property(rules, name, port, (deny, host, to) => {
        expect(allows({ allow: [], deny }, host, to)).toBe(false);
      }),
    );
    const policy = compilePolicy({ allow: [], deny: [] });
    expect(decide(policy, { host: '93.184.216.34', port: 443, literal: true }).allow).toBe(false);
  });

  test('a rule that is trusted is preferred wherever it stands, and its absence is a different policy', () => {
    const plain = { pattern: '*.ok.test' };
    const trusted = { pattern: 'api.ok.test', trusted: true };
    const endpoint = { host: 'api.ok.test', port: 443, literal: false };
    for (const allow of [
      [plain, trusted],
      [trusted, plain],
    ])
      expect(decide(compilePolicy({ allow, deny: [] }), endpoint).rule).toBe(trusted);
    expect(compilePolicy({ allow: [trusted], deny: [] }).hash).not.toBe(
      compilePolicy({ allow: [{ pattern: 'api.ok.test' }], deny: [] }).hash,
    );
  });

  test('2 a policy with one malformed rule, or with rules that are not enforced, does not compile', () => {
    for (const bad of ['', '*', '*.', 'a*.test', '*.*.test', 'foo%2e.test', 'a.test:0', 'a.test:9-1', '10.0.0.0/33']) {
      expect(() => compilePolicy({ allow: [{ pattern: bad }], deny: [] }), bad).toThrow();
      expect(() => compilePolicy({ allow: [], deny: [{ pattern: bad }] }), bad).toThrow();
    }
    const http = [{ host: 'api.ok.test', methods: ['GET'], paths: ['/v1/**'] }];
    expect(() => compilePolicy({ allow: [], deny: [], http })).toThrow();
  });
});

describe('names', () => {
  test('the canonical form of anything is a fixed point, printable ASCII and case-blind', () => {
    const text = fc.oneof(name, fc.string({ unit: 'binary' }), fc.string(), fc.ipV4(), fc.ipV6(), fc.domain());
    fc.assert(
      fc.property(text, (raw) => {
        const once = canonicalHost(raw);
        if (once === undefined) return;
        expect(once.host).toMatch(/^[a-z0-9_.:-]+$/);
        const again = once.literal && once.host.includes(':') ? `[${once.host}]` : once.host;
        expect(canonicalHost(again)).toEqual(once);
        if (!once.literal) {
          expect(canonicalHost(raw.toUpperCase())).toEqual(once);
          expect(canonicalHost(`${once.host}.`)).toEqual(once);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('what an authority parses to parses again to the same', () => {
    fc.assert(
      fc.property(name, fc.integer({ min: 1, max: 65_535 }), (host, to) => {
        expect(parseAuthority(`${host.toUpperCase()}.:${to}`)).toEqual({ host, port: to, literal: false });
      }),
    );
  });

  test.each([
    '',
    '.',
    '..',
    'a..test',
    '.a.test',
    'a.test..',
    '-a.test',
    'a-.test',
    'a b.test',
    'a\0.test',
    'a\r\n.test',
    'a%2e.test',
    'a/b',
    'a\\b',
    'a@b.test',
    'a#b',
    'a?b',
    '*.test',
    '127.1',
    '0',
    '1.2.3',
    '1.2.3.4.5',
    '0177.0.0.1',
    '0x7f.1',
    'a.0x7f',
    'a.1',
    '2130706433',
    '127.0.0.1.',
    '256.1.1.1',
    '127。0。0。1',
    'api.o\u212a.test',
    'аpi.ok.test',
    'api.ok\u00ad.test',
    'ſ.test',
    `${'a'.repeat(64)}.test`,
    `${'a.'.repeat(125)}test`,
    '[]',
    '[::1',
    '[127.0.0.1]',
    '[fe80::1%eth0]',
    '::1',
  ])('3–5, 8–10, 12 %j is no host', (text) => {
    expect(canonicalHost(text)).toBeUndefined();
  });

  test.each(['', '0', '0443', '+443', '-1', '99999', '65536', '443 ', ' 443', '4e2', '0x1bb', '443:80', '４４３'])(
    '11 %j is no port',
    (text) => {
      expect(parsePort(text)).toBeUndefined();
      expect(parseAuthority(`api.ok.test:${text}`)).toBeUndefined();
    },
  );

  test('a wildcard covers whole labels below its suffix and never the apex', () => {
    const covers = (text: string, host: string) => coversName(must(text), host, 443);
    expect(covers('*.wild.test', 'a.wild.test')).toBe(true);
    for (const host of ['wild.test', 'xwild.test', 'a.b.wild.test', 'a.wild.test.evil.test', 'a.wild.testx'])
      expect(covers('*.wild.test', host), host).toBe(false);
    expect(covers('**.wild.test', 'a.b.wild.test')).toBe(true);
    expect(covers('**.wild.test', 'wild.test')).toBe(false);
    expect(covers('**.wild.test', 'xwild.test')).toBe(false);
    expect(coversName(must('api.ok.test'), 'api.ok.test', 80)).toBe(false);
  });
});

describe('addresses', () => {
  test.each([
    ...['127.0.0.1', '127.255.255.254', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.0.1', '100.64.0.1'],
    ...['169.254.169.254', '0.0.0.0', '0.1.2.3', '255.255.255.255', '224.0.0.1', '240.0.0.1', '198.18.0.1'],
    ...['192.0.2.1', '198.51.100.1', '203.0.113.1', '168.63.129.16', '100.100.100.200', '192.0.0.192'],
    ...['::', '::1', '::127.0.0.1', '::7f00:1', '::ffff:7f00:1', '::ffff:10.0.0.1', '::ffff:0:7f00:1'],
    ...['64:ff9b::7f00:1', '64:ff9b:1::1', '2002:7f00:1::', '2002:a00:1::', '2001::1', '2001:db8::1', '100::1'],
    ...['fe80::1', 'fe80::1%eth0', 'fec0::1', 'fec0:0:a00:264::15', 'fc00::1', 'fd00:ec2::254', 'ff02::1', '4000::1'],
    ...['::ffff:168.63.129.16', '::ffff:93.184.216.99', '2606:4700::99', 'not-an-address', ''],
  ])('13–16 %s is refused', (address) => {
    expect(refusedAddress(address, ['93.184.216.99', '2606:4700::99'])).toBeTypeOf('string');
  });

  test('public ones are not', () => {
    for (const address of ['93.184.216.34', '::ffff:93.184.216.34', '2606:4700::1'])
      expect(refusedAddress(address, ['192.0.2.1']), address).toBeUndefined();
  });

  test('no address of a private range is allowed, in any dress', () => {
    const byte = fc.integer({ min: 0, max: 255 });
    const inside = fc.oneof(
      fc.tuple(fc.constantFrom(0, 10, 127), byte, byte, byte),
      fc.tuple(fc.constant(192), fc.constant(168), byte, byte),
      fc.tuple(fc.constant(169), fc.constant(254), byte, byte),
      fc.tuple(fc.constant(172), fc.integer({ min: 16, max: 31 }), byte, byte),
      fc.tuple(fc.constant(100), fc.integer({ min: 64, max: 127 }), byte, byte),
    );
    fc.assert(
      fc.property(inside, ([a, b, c, d]) => {
        const hex = [a * 256 + b, c * 256 + d].map((word) => word.toString(16)).join(':');
        const forms = [`${a}.${b}.${c}.${d}`, `::${hex}`, `::ffff:${hex}`, `64:ff9b::${hex}`, `2002:${hex}::`];
        for (const form of forms) expect(refusedAddress(form, []), form).toBeTypeOf('string');
      }),
    );
  });

  test('18 a range covers an address in its IPv4 and in its mapped form, and may be written in either', () => {
    for (const text of ['93.184.216.0/24', '[::ffff:93.184.216.0]/120:443', '::ffff:5db8:d800/120'])
      for (const address of ['93.184.216.34', '::ffff:93.184.216.34', '::ffff:5db8:d822']) {
        expect(coversAddress(must(text), address, 443), `${text} ${address}`).toBe(true);
        expect(coversAddress(must(text), address, 80)).toBe(false);
        expect(coversAddress(must(text), '93.184.217.34', 443)).toBe(false);
      }
    expect(coversAddress(must('::/0'), '93.184.216.34', 443)).toBe(false);
  });

  test('18 a denied address is denied also behind a trusted rule and an allowed range', () => {
    const allow = [{ pattern: 'api.ok.test', trusted: true }, { pattern: '93.184.0.0/16' }];
    const policy = compilePolicy({ allow, deny: [{ pattern: '93.184.216.34' }] });
    const verdict = decide(policy, { host: 'api.ok.test', port: 443, literal: false });
    expect(decideAddress(policy, verdict, '93.184.216.34', 443, []).reason).toBe('deny-rule');
    expect(decideAddress(policy, verdict, '::ffff:93.184.216.34', 443, []).allow).toBe(false);
    expect(decideAddress(policy, verdict, '93.184.216.35', 443, []).allow).toBe(true);
  });

  test('a name alone never leads to a private address; a trusted rule or a rule for that address does', () => {
    const endpoint = { host: 'api.ok.test', port: 443, literal: false };
    const by = (allow: PolicyInput['allow'], address: string) => {
      const policy = compilePolicy({ allow, deny: [] });
      return decideAddress(policy, decide(policy, endpoint), address, 443, ['93.184.216.99']).allow;
    };
    const named = { pattern: 'api.ok.test' };
    expect(by([named], '10.0.0.1')).toBe(false);
    expect(by([named], '93.184.216.99')).toBe(false);
    expect(by([named, { pattern: '10.0.0.1:80' }], '10.0.0.1')).toBe(false);
    expect(by([named, { pattern: '10.0.0.1' }], '10.0.0.1')).toBe(true);
    expect(by([{ ...named, trusted: true }], '10.0.0.1')).toBe(true);
    expect(by([named, { pattern: '*.ok.test:80', trusted: true }], '10.0.0.1')).toBe(false);
  });
});
