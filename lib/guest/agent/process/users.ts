/** Reads the guest's users from its own files. The agent's Node cannot look them up: it uses another C library than the image. */
import { readFileSync } from 'node:fs';

export interface User {
  name: string;
  uid: number;
  gid: number;
  home: string;
  shell: string;
}

/** Finds a user by name or number in /etc/passwd; a number needs no entry there, and neither does root. */
export function findUser(wanted: string): User | undefined {
  for (const line of read('/etc/passwd').split('\n')) {
    const [name = '', , uid = '', gid = '', , home, shell] = line.split(':');
    if (name !== '' && (name === wanted || uid === wanted))
      return { name, uid: Number(uid), gid: Number(gid), home: home || '/', shell: shell || '/bin/sh' };
  }
  if (/^\d{1,10}$/.test(wanted))
    return { name: wanted, uid: Number(wanted), gid: Number(wanted), home: '/', shell: '/bin/sh' };
  return wanted === 'root' ? { name: 'root', uid: 0, gid: 0, home: '/root', shell: '/bin/sh' } : undefined;
}

/** Returns the groups besides the user's own, from /etc/group. */
export function groupsOf(user: User): number[] {
  return read('/etc/group')
    .split('\n')
    .map((line) => line.split(':'))
    .filter(([, , gid, members]) => members?.split(',').includes(user.name) && Number(gid) !== user.gid)
    .map(([, , gid]) => Number(gid));
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
