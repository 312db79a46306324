/**
 * The folder in which the jails of a VM and of its server meet. The server can write beside it: one in the hands of a guest could put a link there,
 * and the VM's jail would get what the link leads to.
 */
import { lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { SbxError } from '../../errors.ts';
import type { WorkspacePaths } from '../../paths.ts';

const LINK_ID = /^[0-9a-f]{16}$/;

/** @returns its path; @throws SbxError `workspace` when something else is in its place */
export function makeLinkFolder(paths: WorkspacePaths, id: string): string {
  const link = join(paths.links, id);
  mkdirSync(paths.shared, { recursive: true, mode: 0o700 });
  for (const path of [paths.links, link]) {
    if (kindAt(path) === undefined) mkdirSync(path, { mode: 0o700 });
    if (kindAt(path) !== 'folder') throw tampered(path);
  }
  return link;
}

/** With what the server keeps of the guest */
export function removeLink({ links, shared }: WorkspacePaths, id: string): void {
  if (kindAt(links) === 'folder') rmSync(join(links, id), { recursive: true, force: true });
  rmSync(join(shared, `${id}.json`), { force: true });
}

export function linkIds({ links }: WorkspacePaths): string[] {
  return kindAt(links) === 'folder' ? readdirSync(links).filter((name) => LINK_ID.test(name)) : [];
}

function kindAt(path: string): 'folder' | 'other' | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat === undefined ? undefined : stat.isDirectory() ? 'folder' : 'other';
}

function tampered(path: string): SbxError {
  return new SbxError('workspace', 'the folder of a workspace server was changed', {
    why: `${path} is no folder: the server has put something else there`,
    hint: 'stop the sandboxes of this project, then start them again',
  });
}
