/**
 * Folders in what a server shares with the daemon. One in the hands of a guest could put a link in the place of a folder: what it leads to would
 * be given to a VM's jail, moved or removed.
 */
import { lstatSync, mkdirSync } from 'node:fs';
import { SbxError } from '../../errors.ts';

/** Makes it unless it is there. @throws SbxError `workspace` when something else is in its place */
export function makeOwnFolder(path: string): void {
  if (kindAt(path) === undefined) mkdirSync(path, { recursive: true, mode: 0o700 });
  if (kindAt(path) === 'folder') return;
  throw new SbxError('workspace', 'the folder of a workspace server was changed', {
    why: `${path} is no folder: the server has put something else there`,
    hint: 'stop the sandboxes of this project, then start them again',
  });
}

/** Of the entry itself; undefined: there is none */
export function kindAt(path: string): 'folder' | 'other' | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat === undefined ? undefined : stat.isDirectory() ? 'folder' : 'other';
}
