import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAuthority } from '../../../../lib/gateway/address/canonical-host.ts';
import { compilePolicy, decide } from '../../../../lib/gateway/policy/policy.ts';
import { suggest } from '../../../../lib/gateway/policy/suggest.ts';
import type { AuditRecord, PolicyInput, PolicyRule } from '../../../../lib/gateway/policy/types.ts';

const rule = (pattern: string): PolicyRule => ({ pattern, text: pattern, file: '/p/sandbox.toml', line: 3 });
const POLICY: PolicyInput = { allow: [rule('api.ok.test')], deny: [rule('bad.test'), rule('203.0.113.0/24')] };
const PRESETS = { npm: [{ host: 'npm.test', port: 443 }], apt: [{ host: 'apt.test', port: 80 }] };

const denied = (where: string, more: Partial<AuditRecord> = {}): AuditRecord => {
  const { host = where, port = 0 } = parseAuthority(where, 443) ?? {};
  const base = { time: '2026-01-01T00:00:00.000Z', sandbox: 'box', verdict: 'deny', reason: 'default-deny' } as const;
  return { ...base, method: 'CONNECT', host, port, ...more };
};

const of = (records: AuditRecord[], policy = POLICY) =>
  suggest({ records, policy: compilePolicy(policy), presets: PRESETS, own: ['198.41.0.4'] });
const entries = (...hosts: string[]) => of(hosts.map((host) => denied(host))).suggestions.map(({ entry }) => entry);

describe('entries', () => {
  test('one for each host and port, with count, last time and what was asked for', () => {
    const found = of([
      denied('a.test'),
      denied('a.test', { time: '2026-01-03T00:00:00.000Z', count: 4 }),
      denied('a.test', { time: '2026-01-02T00:00:00.000Z' }),
      denied('b.test:80', { method: 'GET', path: '/v1/x?token=secret' }),
      denied('b.test:80', { method: 'GET', path: '/v1/x?token=other' }),
      denied('b.test:80', { method: 'POST', path: '/v1/y' }),
    ]);
    expect(found.suggestions).toEqual([
      {
        entry: 'a.test',
        kind: 'host',
        covers: ['a.test:443'],
        count: 6,
        last: '2026-01-03T00:00:00.000Z',
        requests: [],
      },
      {
        entry: 'b.test:80',
        kind: 'host',
        covers: ['b.test:80'],
        count: 3,
        last: '2026-01-01T00:00:00.000Z',
        requests: ['GET /v1/x', 'POST /v1/y'],
      },
    ]);
  });

  test('of what was only observed as well', () => {
    expect(of([denied('a.test', { verdict: 'observe' })], { ...POLICY, mode: 'observe' }).suggestions).toMatchObject([
      { entry: 'a.test' },
    ]);
  });

  test('none for what is allowed by now, was allowed, or broke', () => {
    expect(entries('api.ok.test')).toEqual([]);
    const others = [
      denied('a.test', { verdict: 'allow', reason: 'rule' }),
      denied('b.test', { verdict: 'closed', reason: 'rule' }),
      denied('c.test', { verdict: 'error', reason: 'upstream-failed' }),
      denied('d.test', { reason: 'server-name' }),
      denied('', { host: 'GET http://e.test/', port: 0, reason: 'bad-request' }),
    ];
    expect(of(others)).toEqual({ suggestions: [], withheld: [] });
  });

  test('addresses in the form that an entry has', () => {
    expect(entries('93.184.215.14:8080', '[2606:4700::1]:80')).toEqual(['93.184.215.14:8080', '[2606:4700::1]:80']);
  });
});

describe('wildcards', () => {
  test('from three siblings of one port on', () => {
    expect(entries('a.sib.test', 'b.sib.test')).toEqual(['a.sib.test', 'b.sib.test']);
    expect(entries('a.sib.test', 'b.sib.test', 'c.sib.test:80').toSorted()).toEqual([
      'a.sib.test',
      'b.sib.test',
      'c.sib.test:80',
    ]);
    const [found] = of(['a', 'b', 'c'].map((label) => denied(`${label}.sib.test:8443`))).suggestions;
    expect(found).toMatchObject({
      entry: '*.sib.test:8443',
      kind: 'wildcard',
      covers: ['a.sib.test:8443', 'b.sib.test:8443', 'c.sib.test:8443'],
      count: 3,
    });
  });

  test('one label only: cousins are no siblings', () => {
    expect(entries('a.x.sib.test', 'b.y.sib.test', 'c.z.sib.test')).toHaveLength(3);
  });

  test.each(['com', 'co.uk', 'github.io', 's3.amazonaws.com'])('never where anybody can get a name: *.%s', (suffix) => {
    const hosts = ['aa', 'bb', 'cc', 'dd'].map((label) => `${label}.${suffix}`);
    expect(entries(...hosts).toSorted()).toEqual(hosts);
  });
});

describe('presets', () => {
  test('stand for the hosts that this host is configured to use', () => {
    const { suggestions } = of([denied('npm.test'), denied('apt.test:80'), denied('apt.test:443')]);
    expect(suggestions.map(({ entry, covers }) => [entry, covers])).toEqual([
      ['preset:npm', ['npm.test:443']],
      ['preset:apt', ['apt.test:80']],
      ['apt.test', ['apt.test:443']],
    ]);
  });
});

describe('what is not suggested, and says so', () => {
  test.each([
    ['a private address', denied('10.0.0.5:5432'), 'private-address', /it is in the private range/],
    ['loopback', denied('127.0.0.1:80'), 'private-address', /loopback/],
    ['cloud metadata', denied('169.254.169.254:80'), 'private-address', /metadata/],
    ["the host's own address", denied('198.41.0.4:22'), 'private-address', /host's own/],
    ['an odd address', denied('0x7f.1:80', { reason: 'odd-address' }), 'odd-address', /four decimal numbers/],
    ['what a deny rule covers', denied('bad.test'), 'deny-rule', /bad\.test \(\/p\/sandbox\.toml:3\)/],
    ['an address that a deny rule covers', denied('203.0.113.7:443'), 'deny-rule', /203\.0\.113\.0\/24/],
    [
      'a name that leads to a private address',
      denied('db.test:5432', { reason: 'private-address', address: '10.0.0.9' }),
      'private-address',
      /its address 10\.0\.0\.9 is in the private range/,
    ],
  ])('%s', (_name, record, reason, why) => {
    const { suggestions, withheld } = of([record]);
    expect(suggestions).toEqual([]);
    expect(withheld).toMatchObject([{ host: record.host, reason, why: expect.stringMatching(why), count: 1 }]);
  });

  test('a deny rule is stronger than three siblings', () => {
    const deny = { ...POLICY, deny: [rule('c.sib.test')] };
    const found = of(
      ['a', 'b', 'c'].map((label) => denied(`${label}.sib.test`)),
      deny,
    );
    expect(found.suggestions.map(({ entry }) => entry).toSorted()).toEqual(['a.sib.test', 'b.sib.test']);
    expect(found.withheld).toMatchObject([{ host: 'c.sib.test', reason: 'deny-rule' }]);
  });
});

test('whatever a sandbox asks for: with the entries it is allowed, and nothing that was withheld is', () => {
  const label = fc.constantFrom('a', 'b', 'c', 'bad', 'sib', 'x', '10', '0x7f', '1');
  const host = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => `${labels.join('.')}.test`);
  const address = fc.tuple(fc.nat(255), fc.nat(255)).map(([a, b]) => `${a}.0.113.${b}`);
  const where = fc
    .tuple(fc.oneof(host, address), fc.constantFrom(80, 443, 8443))
    .map(([name, port]) => `${name}:${port}`);
  fc.assert(
    fc.property(fc.array(where, { maxLength: 30 }), (asked) => {
      const { suggestions, withheld } = of(asked.map((one) => denied(one)));
      const added = suggestions.filter(({ kind }) => kind !== 'preset').map(({ entry }) => rule(entry));
      const policy = compilePolicy({ ...POLICY, allow: [...POLICY.allow, ...added] });
      const apart = new Set(withheld.map(({ host: name, port }) => `${name}:${port}`));
      for (const one of asked) {
        const endpoint = parseAuthority(one);
        if (endpoint !== undefined) expect(decide(policy, endpoint).allow).toBe(!apart.has(one));
      }
      for (const { entry } of suggestions) expect(entry).not.toMatch(/\*\*|^\*\.[^.]*$/);
    }),
  );
});
