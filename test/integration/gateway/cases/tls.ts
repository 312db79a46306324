/** Rows 21, 23 and 28: what is said first in a tunnel to port 443. */
import { extension, helloBytes, serverName, serverNames } from '../../../unit/gateway/tls/hello-bytes.ts';
import { CONNECT } from '../rig.ts';
import { type HostileCase, untrue } from './hostile-case.ts';

export const TLS: HostileCase[] = [
  ...untrue(21, {
    'another server name': helloBytes({ sni: 'evil.test' }),
    'a server name below the host': helloBytes({ sni: 'x.api.ok.test' }),
    'a NUL in the server name': helloBytes({ sni: 'api.ok.test\0.evil.test' }),
    'a port in the server name': helloBytes({ sni: 'api.ok.test:443' }),
    'a percent sign in the server name': helloBytes({ sni: 'api%2eok.test' }),
    'an address as server name': helloBytes({ sni: '93.184.215.14' }),
    'an empty server name': helloBytes({ sni: '' }),
    'two dots behind the server name': helloBytes({ sni: 'api.ok.test..' }),
    'two server names in a list': helloBytes({ more: [serverNames('api.ok.test', 'evil.test')] }),
    'two lists of server names': helloBytes({ sni: 'api.ok.test', more: [serverName('evil.test')] }),
    'a server name of another type': helloBytes({ more: [serverName('api.ok.test', 1)] }),
    'bytes behind the server name': helloBytes({ more: [extension(0, Buffer.from('\0\x0e\0\0\x0bapi.ok.testevil'))] }),
  }),
  ...untrue(23, {
    'no server name': helloBytes({}),
    'a ClientHello in records of one byte': helloBytes({ sni: 'api.ok.test', recordSize: 1 }),
    'a record of another type within the ClientHello': Buffer.concat([
      helloBytes({ sni: 'api.ok.test', recordSize: 40 }).subarray(0, 45),
      Buffer.from([23, 3, 3, 0, 1, 0]),
    ]),
    'an alert before the ClientHello': Buffer.concat([
      Buffer.from([21, 3, 1, 0, 2, 1, 0]),
      helloBytes({ sni: 'api.ok.test' }),
    ]),
    'an empty record before the ClientHello': Buffer.concat([
      Buffer.from([22, 3, 1, 0, 0]),
      helloBytes({ sni: 'api.ok.test' }),
    ]),
    'a ClientHello of SSL 2': Buffer.from('\x80\x2e\x01\x00\x02api.ok.test', 'latin1'),
    'a ClientHello over 64 KiB': helloBytes({ sni: 'api.ok.test', padding: 65_500, recordSize: 16_000 }),
  }),
  ...untrue(28, {
    'an SSH banner': 'SSH-2.0-OpenSSH_9.2p1\r\n',
    'plain HTTP': 'GET / HTTP/1.1\r\nHost: api.ok.test\r\n\r\n',
    'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'a proxy request': CONNECT('evil.test:443'),
    'a PROXY line': 'PROXY TCP4 1.2.3.4 127.0.0.1 1 2\r\n',
    SOCKS: '\x05\x01\x00',
  }),
];
