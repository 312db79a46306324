/** Lists who else is in a group, by the host's own account files. */
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';

/** Numbers below are those of system accounts, by the convention of all distributions. */
const FIRST_PERSON = 1_000;

interface AccountFiles {
  passwd: string;
  group: string;
  /** /etc/nsswitch.conf */
  sources: string;
}

/** `others`: names of users other than this one and root. `all`: there can be no more, neither by the files nor by a directory service. */
export function othersInGroup(gid: number, files: AccountFiles = accountFiles()): { others: string[]; all: boolean } {
  // One number may have several names.
  const groups = rows(files.group).filter(([, , id]) => id === String(gid));
  const users = rows(files.passwd);
  const members = groups.flatMap((group) => (group[3] ?? '').split(',').map((name) => name.trim())).filter(Boolean);
  const first = users.filter((user) => user[3] === String(gid)).map(([name = '']) => name);
  const others = [...new Set([...members, ...first])].filter((name) => isOther(name, { users, gid }));
  // A group with the name of its user is that user's alone, whatever else there is.
  const isLocal = hasFilesOnly(files.sources) || groups.some(([name]) => name === ownName());
  return { others, all: groups.length > 0 && isLocal };
}

function isOther(name: string, { users, gid }: { users: string[][]; gid: number }): boolean {
  const own = ['0', String(process.getuid?.() ?? 0)];
  const ids = users.filter((user) => user[0] === name).map(([, , id = '']) => id);
  // Some systems count accounts of no person to the group of root, for example `sync`.
  const isSystem = gid === 0 && ids.length > 0 && ids.every((id) => Number(id) < FIRST_PERSON);
  return name !== ownName() && !isSystem && !ids.some((id) => own.includes(id));
}

/** `systemd` has only users of its own making. */
function hasFilesOnly(sources: string): boolean {
  const named = sources.matchAll(/^\s*(?:passwd|group|initgroups)\s*:([^#\n]*)/gm);
  return [...named].every(([, text = '']) =>
    text
      .replace(/\[[^\]]*\]/g, ' ')
      .split(/\s+/)
      .every((one) => ['', 'files', 'systemd'].includes(one)),
  );
}

function ownName(): string {
  try {
    return userInfo().username;
  } catch {
    return '';
  }
}

function accountFiles(): AccountFiles {
  return { passwd: textOf('/etc/passwd'), group: textOf('/etc/group'), sources: textOf('/etc/nsswitch.conf') };
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
