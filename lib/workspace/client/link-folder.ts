/** The folder in which the jails of a VM and of its server meet. */
import { existsSync, lstatSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { WorkspacePaths } from '../../paths.ts';
import { kindAt, makeOwnFolder } from './own-folder.ts';

const LINK_ID = /^[0-9a-f]{16}$/;

/** @returns its path; @throws SbxError `workspace` when something else is in its place */
export function makeLinkFolder({ links }: WorkspacePaths, id: string): string {
  const link = join(links, id);
  for (const path of [links, link]) makeOwnFolder(path);
  return link;
}

/** With what the server keeps of the guest */
export function removeLink({ links, shared }: WorkspacePaths, id: string): void {
  if (kindAt(links) === 'folder') rmSync(join(links, id), { recursive: true, force: true });
  rmSync(join(shared, `${id}.json`), { force: true });
}

/** What the server kept of the guest, moved out of its reach. Anything but a file is none. */
export function takeState({ shared }: WorkspacePaths, id: string, file: string): void {
  rmSync(file, { recursive: true, force: true });
  const kept = join(shared, `${id}.json`);
  if (kindAt(kept) === undefined) return;
  renameSync(kept, file);
  if (!lstatSync(file).isFile()) rmSync(file, { recursive: true, force: true });
}

/** Moved to where the server finds it. */
export function giveState({ shared }: WorkspacePaths, id: string, file: string): void {
  if (existsSync(file)) renameSync(file, join(shared, `${id}.json`));
}

export function linkIds({ links }: WorkspacePaths): string[] {
  return kindAt(links) === 'folder' ? readdirSync(links).filter((name) => LINK_ID.test(name)) : [];
}
