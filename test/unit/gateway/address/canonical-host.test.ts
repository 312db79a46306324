import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  authorityOf,
  canonicalHost,
  parseAuthority,
  parsePort,
} from '../../../../lib/gateway/address/canonical-host.ts';

describe('a host', () => {
  test.each([
    ['API.OK.TEST.', 'api.ok.test', 'name'],
    ['xn--bcher-kva.test', 'xn--bcher-kva.test', 'name'],
    ['_acme.a-b.test', '_acme.a-b.test', 'name'],
    ['1.2.3.4', '1.2.3.4', 'address'],
    ['[2001:DB8:0::1]', '2001:db8::1', 'address'],
    ['[::ffff:1.2.3.4]', '1.2.3.4', 'address'],
    ['127.1', '127.1', 'odd-number'],
    ['0x7F.1', '0x7f.1', 'odd-number'],
    ['01.2.3.4', '01.2.3.4', 'odd-number'],
    ['256.1.1.1', '256.1.1.1', 'odd-number'],
    ['1.2.3.4.', '1.2.3.4', 'odd-number'],
    ['a.0x', 'a.0x', 'odd-number'],
  ])('%s is %s, a kind of %s', (text, host, kind) => expect(canonicalHost(text)).toEqual({ host, kind }));

  test.each([
    '',
    '.',
    'a..b',
    'a.b..',
    '.a',
    '-a.test',
    'a-.test',
    'a b',
    'a%2eb',
    'a/b',
    'a\\b',
    'a#',
    'u@h',
    'bücher.test',
    'a\u00ad.test',
    '127。0。0。1',
    '::1',
    '[::1',
    '[fe80::1%eth0]',
    '[1.2.3.4]',
    '[::1]x',
    '[]',
    'a'.repeat(64),
    `${'a'.repeat(49)}.`.repeat(5).concat('test'),
  ])('%j is refused', (text) => expect(canonicalHost(text)).toBeUndefined());

  test('is the same when brought to its form again', () => {
    const text = fc.oneof(
      fc.domain(),
      fc.ipV4(),
      fc.ipV4Extended(),
      fc.ipV6().map((ip) => `[${ip}]`),
      fc.string(),
    );
    fc.assert(
      fc.property(text, fc.boolean(), (host, upper) => {
        const once = canonicalHost(upper ? host.toUpperCase() : host);
        if (once === undefined) return;
        const again = canonicalHost(once.host.includes(':') ? `[${once.host}]` : once.host);
        expect(again?.host).toBe(once.host);
        if (once.kind !== 'odd-number') expect(again).toEqual(once);
        expect(once.host).toMatch(/^[a-z0-9._:-]+$/);
      }),
    );
  });

  test('an authority comes back as it was written in its form', () => {
    const host = fc.oneof(
      fc.domain(),
      fc.ipV4(),
      fc.ipV6().map((ip) => `[${ip}]`),
    );
    fc.assert(
      fc.property(host, fc.integer({ min: 1, max: 65_535 }), (name, port) => {
        const endpoint = parseAuthority(`${name}:${port}`);
        if (endpoint !== undefined) expect(parseAuthority(authorityOf(endpoint))).toEqual(endpoint);
      }),
    );
  });
});

describe('a port', () => {
  test.each([
    ['1', 1],
    ['443', 443],
    ['65535', 65_535],
  ])('%s', (text, port) => expect(parsePort(text)).toBe(port));
  test.each(['', '0', '0443', '+443', '-1', '65536', '99999', '4e2', ' 80', '80 ', '4 4', '٤٤٣'])(
    '%j is refused',
    (text) => expect(parsePort(text)).toBeUndefined(),
  );
});
