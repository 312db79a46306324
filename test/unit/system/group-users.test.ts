import { userInfo } from 'node:os';
import { describe, expect, test } from 'vitest';
import { othersInGroup } from '../../../lib/system/group-users.ts';

const { uid, username } = userInfo();
const passwd = `root:x:0:0:::\n${username}:x:${uid}:7000:::\nann:x:71001:7001:::\nbob:x:71002:7000:::\n`;
const others = (gid: number, group: string, accounts = passwd) => othersInGroup(gid, { passwd: accounts, group });

describe('the others in a group', () => {
  test('are its members and those whose first group it is, without oneself and root', () => {
    expect(others(7001, `friends:x:7001:root,${username}\n`)).toEqual(['ann']);
    expect(others(7002, `friends:x:7002:root,${username}\n`)).toEqual([]);
    expect(others(7002, 'friends:x:7002:ann,gone\n')).toEqual(['ann', 'gone']);
    expect(others(7000, `own:x:7000:\n`)).toEqual(['bob']);
    expect(others(7000, `own:x:7000:\n`, passwd.replace(/bob.*/, ''))).toEqual([]);
  });

  test('are unknown when the files do not have the group', () => {
    expect(others(7009, 'x:x:7000:\n')).toBeUndefined();
    expect(others(7009, '')).toBeUndefined();
  });
});
