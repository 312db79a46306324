/** Lists who else is in a group, by the host's own account files. */
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';

interface AccountFiles {
  passwd: string;
  group: string;
}

/** Names of users other than this one and root; undefined: the files do not have the group. */
export function othersInGroup(gid: number, files: AccountFiles = accountFiles()): string[] | undefined {
  const group = rows(files.group).find(([, , id]) => id === String(gid));
  if (group === undefined) return undefined;
  const own = new Set(['0', String(process.getuid?.() ?? 0)]);
  const users = rows(files.passwd);
  const isOther = (name: string) => !users.some((user) => user[0] === name && own.has(user[2] ?? ''));
  const members = (group[3] ?? '').split(',').filter(Boolean);
  const first = users.filter((user) => user[3] === String(gid)).map(([name = '']) => name);
  return [...new Set([...members, ...first])].filter((name) => isOther(name) && name !== ownName());
}

function ownName(): string {
  try {
    return userInfo().username;
  } catch {
    return '';
  }
}

function accountFiles(): AccountFiles {
  return { passwd: textOf('/etc/passwd'), group: textOf('/etc/group') };
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function rows(text: string): string[][] {
  return text.split('\n').map((line) => line.split(':'));
}
