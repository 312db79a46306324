/** The requests of a hostile guest that need one message only, as data: each with its verdict and the control that gives it. */
import { expect } from 'vitest';
import type { Controls } from '../../../lib/gateway/controls.ts';
import { UNRECOGNIZED_NAME } from '../../../lib/gateway/server-name.ts';
import { helloBytes } from '../../unit/gateway/hello-bytes.ts';
import { CONNECT, GET, OWN_LAN, OWN_PUBLIC, type RigOptions, rule, startRig } from './rig.ts';

export interface HostileCase {
  /** Row of the table of cases, and what it sends */
  name: string;
  control: keyof Controls;
  send: string | Buffer;
  rig?: RigOptions;
  /** `closed`: nothing but the end, or a TLS alert after 200 */
  client: 400 | 403 | 'closed';
  reason: string;
  /** Names that may be looked up before the verdict */
  lookups?: string[];
}

/** So that a case whose control is off comes to its end as well */
const LIMITS = { headMs: 300, keepAliveMs: 300, idleMs: 300 };

function malformed(number: number, sends: Record<string, string | Buffer>): HostileCase[] {
  return Object.entries(sends).map(([name, send]) => ({
    name: `${number} ${name}`,
    control: 'parseHead',
    send,
    client: 400,
    reason: 'bad-request',
  }));
}

function refused(number: number, reason: string, targets: string[]): HostileCase[] {
  return targets.map((target) => ({
    name: `${number} CONNECT ${target}`,
    control: 'policy',
    send: CONNECT(target),
    client: 403,
    reason,
  }));
}

function misleading(number: number, addresses: string[], more: Partial<HostileCase> = {}): HostileCase[] {
  return addresses.map((address) => ({
    name: `${number} a name that leads to ${address}`,
    control: 'addressCheck',
    send: CONNECT('api.ok.test:443') + helloBytes({ sni: 'api.ok.test' }).toString('latin1'),
    rig: { addresses: { 'api.ok.test': ['93.184.215.14', address] } },
    client: 403,
    reason: 'private-address',
    lookups: ['api.ok.test'],
    ...more,
  }));
}

function untrue(number: number, sends: Record<string, string | Buffer>): HostileCase[] {
  return Object.entries(sends).map(([name, send]) => ({
    name: `${number} ${name}`,
    control: 'serverName',
    send: Buffer.concat([Buffer.from(CONNECT('api.ok.test:443')), Buffer.from(send)]),
    client: 'closed',
    reason: 'server-name',
    lookups: ['api.ok.test'],
  }));
}

const LABEL_64 = 'a'.repeat(64);
const NAME_254 = `${'a'.repeat(49)}.`.repeat(5).concat('test');
const PLAIN = 'http://api.ok.test/';
const post = (fields: string, body = '') => `POST ${PLAIN} HTTP/1.1\r\nHost: api.ok.test\r\n${fields}\r\n${body}`;

export const HOSTILE: HostileCase[] = [
  ...refused(1, 'default-deny', ['api.ok.test:443', '127.0.0.1:443']).map((one) => ({
    ...one,
    rig: { policy: { allow: [], deny: [] } },
  })),
  ...malformed(3, { 'a NUL in the host': CONNECT('evil.test\0.wild.test:443') }),
  ...malformed(4, {
    '%00 in the host': CONNECT('evil.test%00.wild.test:443'),
    '%2e in the host': CONNECT('foo%2ewild.test:443'),
    '%2e in an absolute form': GET('http://foo%2ewild.test/'),
  }),
  ...malformed(5, { 'two trailing dots': CONNECT('api.ok.test..:443') }),
  ...refused(6, 'deny-rule', ['BAD.wild.test.:443', 'bad.wild.test:443', 'bad.wild.test:80']),
  ...refused(7, 'default-deny', ['xwild.test:443', 'wild.test:443', 'a.wild.test.evil.test:443', 'a.b.wild.test:443']),
  ...refused(8, 'odd-address', [
    '127.1:443',
    '0177.0.0.1:443',
    '0x7f.1:443',
    '2130706433:443',
    '0:443',
    '1.2.3.4.:443',
  ]),
  ...malformed(9, {
    'ideographic full stops': CONNECT(Buffer.from('127。0。0。1:443').toString('latin1')),
    'a soft hyphen': CONNECT(Buffer.from('api.ok\u00ad.test:443').toString('latin1')),
    'a Cyrillic letter': CONNECT(Buffer.from('аpi.ok.test:443').toString('latin1')),
  }),
  ...malformed(10, {
    'a user': CONNECT('u@api.ok.test:443'),
    'a user in an absolute form': GET('http://u@api.ok.test/', '', 'api.ok.test'),
    'a user that looks like the host': GET('http://api.ok.test@evil.test/', '', 'api.ok.test'),
    'a fragment': CONNECT('api.ok.test#:443'),
    'a slash': CONNECT('api.ok.test:443/x'),
    'a backslash': CONNECT('api.ok.test\\x:443'),
    'a backslash in an absolute form': GET('http://evil.test\\@api.ok.test/', '', 'api.ok.test'),
  }),
  ...malformed(11, {
    'no port': CONNECT('api.ok.test'),
    'an empty port': CONNECT('api.ok.test:'),
    'port 0': CONNECT('api.ok.test:0'),
    'port 0443': CONNECT('api.ok.test:0443'),
    'port +443': CONNECT('api.ok.test:+443'),
    'port 99999': CONNECT('api.ok.test:99999'),
    'port 443:80': CONNECT('api.ok.test:443:80'),
  }),
  ...refused(11, 'default-deny', ['api.ok.test:8443']),
  ...malformed(12, {
    'a label of 64 bytes': CONNECT(`${LABEL_64}.wild.test:443`),
    'a name of 254 bytes': CONNECT(`${NAME_254}:443`),
    'an empty label': CONNECT('a..wild.test:443'),
  }),
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
    'fe80::1',
    'fc00::1',
    'ff02::1',
  ]),
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
  ...refused(20, 'default-deny', ['10.0.2.100:3128', '127.0.0.1:3128', '[::1]:443', 'localhost:3128', 'host.sbx:3128']),
  ...untrue(21, {
    'another server name': helloBytes({ sni: 'evil.test' }),
    'a server name below the host': helloBytes({ sni: 'x.api.ok.test' }),
    'a NUL in the server name': helloBytes({ sni: 'api.ok.test\0.evil.test' }),
  }),
  ...untrue(23, {
    'no server name': helloBytes({}),
    'a ClientHello in records of one byte': helloBytes({ sni: 'api.ok.test', recordSize: 1 }),
    'a ClientHello over 64 KiB': helloBytes({ sni: 'api.ok.test', padding: 65_500, recordSize: 16_000 }),
  }),
  {
    name: '26 plain HTTP',
    control: 'policy',
    send: GET('http://evil.test/', 'Connection: close\r\n'),
    client: 403,
    reason: 'default-deny',
  },
  {
    name: '26 plain HTTP to the port of HTTPS',
    control: 'policy',
    send: GET('http://api.ok.test:443/', 'Connection: close\r\n'),
    client: 403,
    reason: 'not-tls',
  },
  ...untrue(28, {
    'an SSH banner': 'SSH-2.0-OpenSSH_9.2p1\r\n',
    'plain HTTP': 'GET / HTTP/1.1\r\nHost: api.ok.test\r\n\r\n',
  }),
  ...malformed(30, {
    'CL and TE': post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
    'TE and CL': post('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', '0\r\n\r\n'),
    'two CL': post('Content-Length: 5\r\nContent-Length: 5\r\n', 'hello'),
    'a list in CL': post('Content-Length: 5, 5\r\n', 'hello'),
    'CL +1': post('Content-Length: +1\r\n', 'h'),
    'CL with a space before the colon': post('Content-Length : 1\r\n', 'h'),
    'a folded field': post('X-A: 1\r\n  2\r\n'),
    'a bare line feed': `GET ${PLAIN} HTTP/1.1\nHost: api.ok.test\n\n`,
    'a bare line feed between fields': `GET ${PLAIN} HTTP/1.1\r\nHost: api.ok.test\nX: y\r\n\r\n`,
    'a bare carriage return': `GET ${PLAIN} HTTP/1.1\r\nHost: api.ok.test\r\nX: a\rb\r\n\r\n`,
  }),
  ...malformed(31, {
    'two Host': `GET ${PLAIN} HTTP/1.1\r\nHost: api.ok.test\r\nHost: api.ok.test\r\n\r\n`,
    'another Host': GET(PLAIN, '', 'evil.test'),
    'TE gzip, chunked': post('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'),
    'two TE': post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
    'a TE of other case and a tab': post('Transfer-Encoding: \x0bchunked\r\n', '0\r\n\r\n'),
    'CONNECT with a length': CONNECT('api.ok.test:443', 'Content-Length: 3\r\n'),
    'CONNECT with chunks': CONNECT('api.ok.test:443', 'Transfer-Encoding: chunked\r\n'),
  }),
  ...malformed(32, {
    'an upgrade to h2c': GET(
      PLAIN,
      'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n',
    ),
    'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  }),
  ...refused(40, 'default-deny', ['c2VjcmV0LWRhdGE.evil.test:443']),
];

/** Runs the case and asserts it in four places: the client, the record, the upstream, the resolver. */
export async function runHostile(one: HostileCase, controls: Partial<Controls> = {}): Promise<void> {
  await using rig = await startRig({ ...one.rig, limits: LIMITS, controls });
  const text = await rig.ask(one.send);
  if (one.client === 'closed') expect(['', TLS_ALERT]).toContain(text.replace(/^HTTP\/1\.1 200 [^\r]*\r\n\r\n/, ''));
  else expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${one.client} `));
  if (one.client === 403) expect(text).toContain('x-sbx-denied: 1');
  expect(rig.records().map(({ verdict, reason }) => ({ verdict, reason }))).toEqual([
    { verdict: 'deny', reason: one.reason },
  ]);
  expect(rig.dials).toEqual([]);
  expect(rig.received()).toBe('');
  expect(rig.lookups).toEqual(one.lookups ?? []);
}

const TLS_ALERT = UNRECOGNIZED_NAME.toString('latin1');
