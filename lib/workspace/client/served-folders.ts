/** The folders of a guest, as the daemon names them. */
import { createHash } from 'node:crypto';
import type { Attach, FolderRules } from '../protocol/messages.ts';
import { folderId } from './guest-record.ts';
import { INSIDE, type JailFolder } from './server-jail.ts';

export interface ServedFolder {
  /** Under which the guest sees it below its mount; a single file is alone in a folder of this name */
  name: string;
  /** Real absolute path */
  path: string;
  isFile: boolean;
  readonly: boolean;
  /** Absent: everything passes */
  rules?: FolderRules;
}

/** What a server has in its jail; sandboxes with the same folders share one. */
export interface FolderSet {
  key: string;
  folders: JailFolder[];
}

/** A folder that was replaced by another one of the same name makes another set. @throws when one is gone */
export function folderSetOf(served: ServedFolder[]): FolderSet {
  const known = new Map(
    served.map(({ path, readonly, isFile }) => [`${path}\0${readonly}`, { path, readonly, isFile }]),
  );
  const folders = [...known].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, folder]) => folder);
  const facts = folders.map(({ path, readonly, isFile }) => [path, readonly, isFile, folderId(path)]);
  return { key: createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 16), folders };
}

/** What the server of this set is asked for. @param link id of the guest's link */
export function attachRequest(link: string, served: ServedFolder[], set: FolderSet): Attach {
  return {
    op: 'attach',
    id: link,
    link: INSIDE.link(link),
    mailbox: INSIDE.mailbox(link),
    stateFile: INSIDE.state(link),
    folders: attachedFolders(served, set, link),
  };
}

/** The same folders, by their places in the jail. */
function attachedFolders(served: ServedFolder[], { folders }: FolderSet, link: string) {
  return served.map(({ name, path, readonly, rules }) => ({
    name,
    path: INSIDE.root(folders.findIndex((one) => one.path === path && one.readonly === readonly)),
    hostPath: path,
    readonly,
    ...(rules === undefined ? {} : { rules }),
    ...(rules === undefined || readonly ? {} : { layer: INSIDE.layer(link, name) }),
  }));
}
