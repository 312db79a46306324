/** Checks that no other user can change what a folder holds: each folder on the way to it, as ssh does for its files. */
import { lstatSync, type Stats, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { SbxError } from '../errors.ts';
import { othersInGroup } from './group-users.ts';
import { placesOf } from './places.ts';

const OTHERS_WRITE = 0o002;
const GROUP_WRITES = 0o020;
const STICKY = 0o1000;

/** What does not exist yet is made by sbx. @throws SbxError `usage` with the folder that others can change. */
export function checkOwnFolder(path: string): void {
  const places = placesOf(resolve(path));
  for (const folder of places) {
    const found = lstatSync(folder, { throwIfNoEntry: false });
    const why = found === undefined ? undefined : problemOf(found, folder === places.at(-1));
    if (why !== undefined)
      throw new SbxError('usage', `the state folder ${path} is not safe from other users`, {
        why: `${folder} ${why}`,
        hint: 'set SBX_HOME to a folder of your own, or correct the owner and the permissions of this one',
      });
  }
}

function problemOf(found: Stats, isItself: boolean): string | undefined {
  const uid = process.getuid?.() ?? 0;
  // In a user namespace the host's root, who owns `/`, has another number.
  const owners = isItself && !found.isSymbolicLink() ? [uid] : [uid, 0, statSync('/').uid];
  if (!owners.includes(found.uid)) return `belongs to the user with the number ${found.uid}`;
  if (found.isSymbolicLink()) return undefined;
  if ((found.mode & STICKY) !== 0 && !isItself) return undefined;
  if ((found.mode & OTHERS_WRITE) !== 0) return 'can be written by every user';
  return (found.mode & GROUP_WRITES) === 0 ? undefined : problemOfGroup(found.gid, uid);
}

/** A group of the user alone is as good as the user: some systems make files for it to write by default. */
function problemOfGroup(gid: number, uid: number): string | undefined {
  const { others, all } = othersInGroup(gid);
  const why = `can be written by the group with the number ${gid}`;
  if (others.length > 0) return `${why}, which has ${others[0]}`;
  // A directory service may know more users: there, too, a group with the number of its user is usually that user's alone.
  return all || gid === uid || gid === 0 ? undefined : why;
}
