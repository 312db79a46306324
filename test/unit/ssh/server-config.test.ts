import { describe, expect, test } from 'vitest';
import { serverConfig } from '../../../lib/ssh/server-config.ts';

const lines = (environment: string) => serverConfig(environment).split('\n');
const setEnv = (environment: string) => lines(environment).filter((line) => line.startsWith('SetEnv'));

describe('the configuration of the server inside', () => {
  test('accepts the key of this sandbox only', () => {
    expect(lines('')).toEqual(
      expect.arrayContaining([
        'AuthorizedKeysFile /run/sbx-ssh/authorized_keys',
        'AuthenticationMethods publickey',
        'PasswordAuthentication no',
        'KbdInteractiveAuthentication no',
      ]),
    );
  });

  test('gives sessions the environment of exec on one line, since a second one would not count', () => {
    expect(setEnv('HTTPS_PROXY=http://127.0.0.1:3128\0A=b c\0')).toEqual([
      'SetEnv "HTTPS_PROXY=http://127.0.0.1:3128" "A=b c"',
    ]);
  });

  test('leaves out what sshd or the shell sets', () => {
    expect(setEnv('HOME=/x\0SHLVL=1\0PWD=/\0TERM=x\0_=/usr/bin/env\0')).toEqual([]);
  });

  test('quotes, and leaves out values that a line cannot hold', () => {
    expect(setEnv('Q=a "b" \\c # d\0N=a\nForceCommand x\0R=a\rb\0bad name=x\0=y\0')).toEqual([
      'SetEnv "Q=a \\"b\\" \\\\c # d"',
    ]);
  });
});
