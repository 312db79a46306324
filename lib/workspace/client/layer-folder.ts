/** The private layers of a server's guests, which are the work of the sandboxes: they are moved, and never removed with their server. */
import { readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { WorkspacePaths } from '../../paths.ts';
import { kindAt, makeOwnFolder } from './own-folder.ts';

export interface GuestLayer {
  /** The guest's link */
  id: string;
  /** Where the layer lies while the guest is not served */
  privateLayer: string;
}

/**
 * Moves it to where the server finds it. One that is there already is of a VM that runs.
 * @param names of the folders that have rules; @throws SbxError `workspace` when something else is in its place
 */
export function takeLayer({ layers }: WorkspacePaths, { id, privateLayer }: GuestLayer, names: string[]): void {
  const layer = join(layers, id);
  makeOwnFolder(layers);
  if (kindAt(layer) === undefined && kindAt(privateLayer) === 'folder') renameSync(privateLayer, layer);
  for (const path of [layer, ...names.map((name) => join(layer, name))]) makeOwnFolder(path);
}

/** Moves it back. A link that the server put in its place stays where it is. */
export function giveBackLayer({ layers }: WorkspacePaths, { id, privateLayer }: GuestLayer): void {
  const layer = join(layers, id);
  if (kindAt(layers) === 'folder' && kindAt(layer) === 'folder') renameSync(layer, privateLayer);
}

/** Removes the folder of a server that has ended, unless a layer in it holds something. @returns false if it is kept */
export function removeServerFolder({ dir, layers }: WorkspacePaths): boolean {
  if (kindAt(layers) !== undefined && holdsWork(layers)) return false;
  rmSync(dir, { recursive: true, force: true });
  return true;
}

/** Every layer has these levels of folders: of the guest, of the folder it is about, and the server's own */
const EMPTY_LEVELS = 3;

function holdsWork(path: string, level = 0): boolean {
  if (kindAt(path) !== 'folder') return true;
  const names = readdirSync(path);
  return level === EMPTY_LEVELS ? names.length > 0 : names.some((name) => holdsWork(join(path, name), level + 1));
}
