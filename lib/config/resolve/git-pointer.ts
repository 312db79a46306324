/** Follows the `.git` file of a work tree to its repository, if the repository says the same of the work tree. */
import { lstat, readFile, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parseGitConfig } from '../../workspace/facts/git-config.ts';

/** Longer files are not git's */
const POINTER_MAX = 4096;
const CONFIG_MAX = 1 << 20;

/** Real path of the git folder with the objects: of a worktree the repository's own, of a submodule its own below `modules`. */
export async function commonOfPointer(tree: string): Promise<string | undefined> {
  const pointer = join(tree, '.git');
  const target = /^gitdir: (.+?)\n?$/s.exec((await readSmall(pointer, POINTER_MAX)) ?? '')?.[1];
  const folder = target === undefined ? undefined : await realFolder(resolve(tree, target));
  if (folder === undefined) return undefined;
  const common = await readSmall(join(folder, 'commondir'), POINTER_MAX);
  if (common !== undefined) return commonOfWorktree({ folder, common, pointer });
  return (await isTreeOf(folder, tree)) ? folder : undefined;
}

/** The record of a worktree: its `gitdir` file names the pointer. */
async function commonOfWorktree({ folder, common, pointer }: Record<'folder' | 'common' | 'pointer', string>) {
  const back = await readSmall(join(folder, 'gitdir'), POINTER_MAX);
  const found = await realFolder(resolve(folder, withoutEnd(common)));
  if (back === undefined || found === undefined || dirname(folder) !== join(found, 'worktrees')) return undefined;
  const named = await realpath(resolve(folder, withoutEnd(back))).catch(() => undefined);
  return named === pointer ? found : undefined;
}

/** The record of a submodule: `core.worktree` in the configuration of its git folder. Git counts the last one. */
async function isTreeOf(folder: string, tree: string): Promise<boolean> {
  const texts = await Promise.all(
    ['config', 'config.worktree'].map((name) => readSmall(join(folder, name), CONFIG_MAX)),
  );
  const named = texts.flatMap((text) => parseGitConfig(text ?? '')).findLast(({ key }) => key === 'core.worktree');
  return named !== undefined && (await realFolder(resolve(folder, named.value))) === tree;
}

async function readSmall(path: string, limit: number): Promise<string | undefined> {
  try {
    const found = await lstat(path);
    return found.isFile() && found.size <= limit ? await readFile(path, 'utf8') : undefined;
  } catch {
    return undefined;
  }
}

async function realFolder(path: string): Promise<string | undefined> {
  const real = await realpath(path).catch(() => undefined);
  return real !== undefined && (await stat(real)).isDirectory() ? real : undefined;
}

function withoutEnd(text: string): string {
  return text.replace(/\n$/, '');
}
