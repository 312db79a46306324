import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, test } from 'vitest';
import { addressDenial, viewsOf } from '../../../../lib/gateway/address/private-ranges.ts';

describe('an address that a name leads to', () => {
  test.each(['8.8.8.8', '1.1.1.1', '223.255.255.254', '2606:4700::1', '2a00:1450:4001::1', '2001:4860:4860::8888'])(
    '%s is public',
    (address) => expect(addressDenial(address, [])).toBeUndefined(),
  );

  test.each(
    '0.0.0.1 10.0.0.1 100.64.0.1 127.0.0.1 169.254.1.1 172.31.255.255 192.0.0.1 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255 :: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:10.0.0.1 ::ffff:0:10.0.0.1 64:ff9b::808:808 64:ff9b:1::1 100::1 2001::1 2001:db8::1 2002:808:808:: 3fff::1 5f00::1 fc00::1 fd12::1 fe80::1 fec0::1 ff02::1 2600::5efe:7f00:1 2600::200:5efe:a00:1'.split(
      ' ',
    ),
  )('%s is refused', (address) => expect(addressDenial(address, [])).toBeDefined());

  test('is never allowed in another dress when it is refused as plain IPv4', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.constantFrom('::ffff:', '::', '64:ff9b::', '::ffff:0:'), (ip, prefix) => {
        if (addressDenial(ip, []) !== undefined) expect(addressDenial(`${prefix}${ip}`, [])).toBeDefined();
      }),
    );
  });

  test('shows every IPv4 address that it carries', () => {
    const carried = (address: string) => viewsOf(address).map((view) => view.toString());
    const v4 = new ipaddr.IPv4([10, 1, 2, 3]).toString();
    for (const address of [
      '::ffff:10.1.2.3',
      '::10.1.2.3',
      '64:ff9b::10.1.2.3',
      '2002:a01:203::',
      '2001:0:1:2:3:4:f5fe:fdfc',
      '2600::5efe:a01:203',
    ])
      expect(carried(address)).toContain(v4);
    expect(carried('2606:4700::a01:203')).toHaveLength(1);
  });
});
