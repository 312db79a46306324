import { userInfo } from 'node:os';
import { describe, expect, test } from 'vitest';
import { othersInGroup } from '../../../lib/system/group-users.ts';

const { uid, username } = userInfo();
const passwd = `root:x:0:0:::\n${username}:x:${uid}:7000:::\nann:x:71001:7001:::\nbob:x:71002:7000:::\n`;
const FILES = 'passwd: files systemd\ngroup:  files [SUCCESS=merge] systemd # sss\nhosts: files dns\n';
const inGroup = (gid: number, group: string, { accounts = passwd, sources = FILES } = {}) =>
  othersInGroup(gid, { passwd: accounts, group, sources });

describe('the others in a group', () => {
  test('are its members and those whose first group it is, without oneself and root', () => {
    const others = (gid: number, group: string, accounts = passwd) => {
      const found = inGroup(gid, group, { accounts });
      expect(found.all).toBe(true);
      return found.others;
    };
    expect(others(7001, `friends:x:7001:root,${username}\n`)).toEqual(['ann']);
    expect(others(7002, `friends:x:7002:root,${username}\n`)).toEqual([]);
    expect(others(7002, 'friends:x:7002:ann, gone\n')).toEqual(['ann', 'gone']);
    expect(others(7000, `own:x:7000:\n`)).toEqual(['bob']);
    expect(others(7000, `own:x:7000:\n`, passwd.replace(/bob.*/, ''))).toEqual([]);
  });

  test('are those of each name that the number of the group has', () => {
    expect(inGroup(7002, 'own:x:7002:\nalias:x:7002:ann\n').others).toEqual(['ann']);
  });

  test('are unknown when the files do not have the group', () => {
    expect(inGroup(7009, 'x:x:7000:\n')).toEqual({ others: [], all: false });
    expect(inGroup(7009, '')).toEqual({ others: [], all: false });
  });

  test.each([
    'passwd: files sss',
    'group: files ldap',
    'group:files winbind',
    'passwd: compat',
    'initgroups: sss files',
  ])('may be more where a directory service knows accounts: %s', (sources) => {
    expect(inGroup(7002, 'team:x:7002:\n', { sources })).toEqual({ others: [], all: false });
    expect(inGroup(7002, 'team:x:7002:ann\n', { sources })).toEqual({ others: ['ann'], all: false });
    // The group of the user itself
    expect(inGroup(7000, `${username}:x:7000:\n`, { sources, accounts: '' })).toEqual({ others: [], all: true });
  });

  test('are all known without a file that names the sources', () => {
    expect(inGroup(7002, 'team:x:7002:\n', { sources: '' })).toEqual({ others: [], all: true });
  });

  test('in the group of root, accounts of no person do not count', () => {
    const accounts = `${passwd}sync:x:5:0:::\neve:x:71003:0:::\n`;
    expect(inGroup(0, 'root:x:0:\n', { accounts: `${passwd}sync:x:5:0:::\n` }).others).toEqual([]);
    expect(inGroup(0, 'root:x:0:sync,ann\n', { accounts }).others).toEqual(['ann', 'eve']);
    expect(inGroup(7002, 'team:x:7002:sync\n', { accounts }).others).toEqual(['sync']);
  });
});
