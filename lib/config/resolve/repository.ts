/** Finds the repository of a workspace that lies outside of it. Nothing of the repository is run. */
import { lstat, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isShowable } from './folders.ts';
import { commonOfPointer } from './git-pointer.ts';
import type { HostFacts } from './host-facts.ts';

const PARTS = { HEAD: 'file', objects: 'folder', refs: 'folder' } as const;

export interface OuterRepository {
  /** Real path of the git folder that has its objects */
  folder: string;
  /** Top of the work tree that has the workspace as a subfolder; absent: the workspace is the top */
  top?: string;
}

/**
 * Undefined: there is none outside of the workspace, or it is no other folder's business: a `.git` file names a repository, and only the repository's own
 * record of this work tree, which no sandbox can write, makes it one.
 */
export async function repositoryOf(workspace: string, host: HostFacts): Promise<OuterRepository | undefined> {
  const tree = await treeOf(workspace);
  if (tree === undefined) return undefined;
  const isTop = tree.path === workspace;
  if (tree.kind === 'folder' && isTop) return undefined;
  const git = join(tree.path, '.git');
  const folder = tree.kind === 'folder' ? git : await commonOfPointer(tree.path);
  if (folder === undefined || !(await isGitFolder(folder))) return undefined;
  if (!areApart(folder, workspace) || !(await isShowable(folder, host))) return undefined;
  if (isTop) return { folder };
  return (await isShowable(tree.path, host)) ? { folder, top: tree.path } : undefined;
}

interface Tree {
  path: string;
  /** Of its `.git` */
  kind: 'file' | 'folder';
}

/** The innermost folder with a `.git`. One that is a link, or something else, ends the search: git itself would go there. */
async function treeOf(workspace: string): Promise<Tree | undefined> {
  const { dev } = await lstat(workspace);
  for (let path = workspace; ; path = dirname(path)) {
    const found = await lstat(join(path, '.git')).catch(() => undefined);
    // Git refuses those of another user, too.
    if (found !== undefined && path !== workspace && found.uid !== process.getuid?.()) return undefined;
    if (found?.isDirectory() === true) return { path, kind: 'folder' };
    if (found?.isFile() === true) return { path, kind: 'file' };
    if (found !== undefined || path === dirname(path)) return undefined;
    // Nor does it look for one on another file system.
    if ((await lstat(dirname(path))).dev !== dev) return undefined;
  }
}

async function isGitFolder(folder: string): Promise<boolean> {
  const parts = Object.entries(PARTS).map(async ([name, kind]) => {
    const found = await lstat(join(folder, name)).catch(() => undefined);
    return kind === 'file' ? found?.isFile() === true : found?.isDirectory() === true;
  });
  return (await Promise.all(parts)).every(Boolean) && (await realpath(folder)) === folder;
}

function areApart(one: string, other: string): boolean {
  return !`${one}/`.startsWith(`${other}/`) && !`${other}/`.startsWith(`${one}/`);
}
