/** Rows 13–18: names that lead where they must not. */

import { CONNECT, OWN_LAN, OWN_PUBLIC, rule } from '../rig.ts';
import { type HostileCase, misleading } from './hostile-case.ts';

export const ADDRESSES: HostileCase[] = [
  ...misleading(13, [
    '127.0.0.1',
    '127.9.9.9',
    '10.0.0.1',
    '100.64.0.1',
    '169.254.169.254',
    '0.0.0.0',
    '172.16.0.1',
    '192.168.1.1',
  ]),
  ...misleading(14, [
    '::1',
    '::127.0.0.1',
    '::ffff:7f00:1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '64:ff9b:1:7f00:0:100:808:808',
    '2001:0:4136:e378:8000:63bf:80ff:fffe',
    '2001:0:4136:e378:8000:63bf:3fff:fdd2',
    '2002:a9fe:a9fe::',
    '2600::5efe:7f00:1',
    '2600::200:5efe:a00:1',
    '::ffff:0:7f00:1',
    '::ffff:169.254.169.254',
    '::',
    'fe80::1',
    'fc00::1',
    'fec0::1',
    'ff02::1',
    '5f00::1',
  ]),
  ...misleading(14, ['10.0.0.1'], {
    name: '14 a name that leads to a private address first',
    rig: { addresses: { 'api.ok.test': ['10.0.0.1', '93.184.215.14'] } },
  }),
  // The same as literals, where a rule allows every public address.
  ...[
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::FFFF:7F00:1]',
    '[0:0:0:0:0:ffff:127.0.0.1]',
    '[::127.0.0.1]',
    '[0::127.0.0.1]',
    '[64:ff9b::169.254.169.254]',
    '[2002:7f00:1::]',
    '[fd00:ec2::254]',
    '0.0.0.0',
    '127.0.0.1',
    '169.254.169.254',
    OWN_PUBLIC,
  ].map(
    (literal): HostileCase => ({
      name: `14 CONNECT ${literal}, though 0.0.0.0/0 and ::/0 are allowed`,
      control: 'addressCheck',
      send: CONNECT(`${literal}:443`),
      rig: { policy: { allow: [rule('0.0.0.0/0'), rule('::/0')], deny: [] } },
      client: 403,
      reason: 'private-address',
    }),
  ),
  ...misleading(15, ['168.63.129.16', '100.100.100.200', '192.0.0.192', 'fd00:ec2::254']),
  ...misleading(16, [OWN_LAN, OWN_PUBLIC]),
  ...misleading(18, ['203.0.112.9'], { reason: 'deny-rule' }).map((one) => ({
    ...one,
    rig: { ...one.rig, policy: { allow: [rule('api.ok.test:443')], deny: [rule('203.0.112.0/24')] } },
  })),
  ...misleading(18, ['64:ff9b::808:808'], { reason: 'deny-rule' }).map((one) => ({
    ...one,
    rig: { ...one.rig, policy: { allow: [rule('api.ok.test:443', { trusted: true })], deny: [rule('8.8.8.8')] } },
  })),
];
