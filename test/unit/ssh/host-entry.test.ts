import { describe, expect, test } from 'vitest';
import { hostEntry, hostNames, includeLine, knownHostsLine } from '../../../lib/ssh/host-entry.ts';

const SANDBOX = { id: '0123456789ab', name: 'web', project: 'shop' };
const OPTIONS = {
  sandbox: SANDBOX,
  hosts: ['web.shop.sbx', '0123456789ab.sbx'],
  paths: { userKey: '/s/i/ssh/user_key', knownHosts: '/s/i/ssh/known_hosts' },
  home: '/s',
  program: '/usr/bin/sbx',
  nodeDir: '/opt/node/bin',
};

describe('the host names of a sandbox', () => {
  test('are its name with its project, and its id', () => {
    expect(hostNames(SANDBOX, [SANDBOX])).toEqual(['web.shop.sbx', '0123456789ab.sbx']);
  });

  test('are the id alone where another project has the same names', () => {
    expect(hostNames(SANDBOX, [SANDBOX, { ...SANDBOX, id: 'ba9876543210' }])).toEqual(['0123456789ab.sbx']);
  });

  test.each(['a b', 'a\nProxyCommand x', '*', 'a?', '!a', 'A', 'ä', '', 'a.b'])(
    'are the id alone for %j',
    (project) => {
      expect(hostNames({ ...SANDBOX, project }, [])).toEqual(['0123456789ab.sbx']);
      expect(hostNames({ ...SANDBOX, name: project }, [])).toEqual(['0123456789ab.sbx']);
    },
  );
});

describe('a host entry', () => {
  const entry = hostEntry(OPTIONS);

  test('connects by sbx, with the state folder and the Node of now', () => {
    expect(entry).toMatch(/^Host web\.shop\.sbx 0123456789ab\.sbx\n/);
    expect(entry).toContain(
      `ProxyCommand /usr/bin/env SBX_HOME='/s' PATH='/opt/node/bin':"$PATH" '/usr/bin/sbx' ssh-proxy 0123456789ab\n`,
    );
  });

  test.each([
    'ForwardAgent no',
    'ForwardX11 no',
    'ForwardX11Trusted no',
    'IdentitiesOnly yes',
    'StrictHostKeyChecking yes',
    'UpdateHostKeys no',
    'GlobalKnownHostsFile /dev/null',
    'PreferredAuthentications publickey',
    'PermitLocalCommand no',
  ])('says %s', (line) => {
    expect(entry.split('\n')).toContain(`  ${line}`);
  });

  test.each([
    "/a'; touch /tmp/x; '",
    '/a"b',
    '/a\nHost *',
    '/a%h',
    '/a${HOME',
    '/a$(x)',
    '/a`x`',
    '/a\\',
    '/a*',
    '/a?',
    '/a[b]',
    'relative',
    '/a#b',
  ])('is refused for the path %j', (path) => {
    expect(() => hostEntry({ ...OPTIONS, home: path })).toThrow('ssh cannot use the path');
    expect(() => hostEntry({ ...OPTIONS, program: path })).toThrow('ssh cannot use the path');
    expect(() => hostEntry({ ...OPTIONS, nodeDir: path })).toThrow('ssh cannot use the path');
    expect(() => includeLine(`${path}/instances/*/ssh/config`)).toThrow('ssh cannot use the path');
  });

  test('is refused where env or PATH would read the path otherwise', () => {
    expect(() => hostEntry({ ...OPTIONS, program: '/opt/a=b/sbx' })).toThrow('ssh cannot use the path');
    expect(() => hostEntry({ ...OPTIONS, nodeDir: '/opt/a:b' })).toThrow('ssh cannot use the path');
  });

  test('may be in a folder with spaces and letters of any language', () => {
    expect(includeLine('/home/zoë w/sbx/instances/*/ssh/config')).toBe(
      'Include "/home/zoë w/sbx/instances/*/ssh/config"',
    );
  });
});

test('the known key is bound to the id, without the comment of the key', () => {
  expect(knownHostsLine('0123456789ab', 'ssh-ed25519 AAAA someone@host\n')).toBe('0123456789ab.sbx ssh-ed25519 AAAA\n');
});
