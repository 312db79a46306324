/** Finds the repository of a workspace that is a worktree of one elsewhere. Nothing of the repository is run. */
import { lstat, readFile, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isShowable } from './folders.ts';
import type { HostFacts } from './host-facts.ts';

/** Longer files are not git's */
const POINTER_MAX = 4096;
const PARTS = { HEAD: 'file', objects: 'folder', refs: 'folder' } as const;

/**
 * The real path of its common git folder. Undefined: there is none outside of the workspace, or it is no other folder's business: the `.git` file of the workspace
 * names a worktree, and only the worktree's record in the repository, which no sandbox can write, makes it one.
 */
export async function repositoryOf(workspace: string, host: HostFacts): Promise<string | undefined> {
  const pointer = join(workspace, '.git');
  const target = /^gitdir: (.+?)\n?$/s.exec((await readPointer(pointer)) ?? '')?.[1];
  if (target === undefined) return undefined;
  const worktree = await realFolder(resolve(workspace, target));
  if (worktree === undefined) return undefined;
  const [common, back] = await Promise.all([
    readPointer(join(worktree, 'commondir')),
    readPointer(join(worktree, 'gitdir')),
  ]);
  if (common === undefined || back === undefined) return undefined;
  const folder = await realFolder(resolve(worktree, withoutEnd(common)));
  if (folder === undefined || dirname(worktree) !== join(folder, 'worktrees')) return undefined;
  if ((await realpath(resolve(worktree, withoutEnd(back))).catch(() => undefined)) !== pointer) return undefined;
  const fits = (await isGitFolder(folder)) && areApart(folder, workspace) && (await isShowable(folder, host));
  return fits ? folder : undefined;
}

async function readPointer(path: string): Promise<string | undefined> {
  try {
    const found = await lstat(path);
    return found.isFile() && found.size <= POINTER_MAX ? await readFile(path, 'utf8') : undefined;
  } catch {
    return undefined;
  }
}

async function realFolder(path: string): Promise<string | undefined> {
  const real = await realpath(path).catch(() => undefined);
  return real !== undefined && (await stat(real)).isDirectory() ? real : undefined;
}

async function isGitFolder(folder: string): Promise<boolean> {
  const parts = Object.entries(PARTS).map(async ([name, kind]) => {
    const found = await lstat(join(folder, name)).catch(() => undefined);
    return kind === 'file' ? found?.isFile() === true : found?.isDirectory() === true;
  });
  return (await Promise.all(parts)).every(Boolean);
}

function areApart(one: string, other: string): boolean {
  return !`${one}/`.startsWith(`${other}/`) && !`${other}/`.startsWith(`${one}/`);
}

function withoutEnd(text: string): string {
  return text.replace(/\n$/, '');
}
