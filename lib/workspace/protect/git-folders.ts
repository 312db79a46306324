/** Follows git's own pointers: from `.git` files to their folders, into submodules, to linked work trees. */
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { below, isThere, joinBelow } from './folder-paths.ts';

export interface GitFolders {
  /** With config and hooks of their own */
  gitDirs: string[];
  /** `.git/worktrees/*`: config and hooks are those of the folder that their `commondir` names */
  worktreeDirs: string[];
  /** Named by a `.git` file, but no repository yet */
  unfinished: string[];
}

/** A submodule's name may hold slashes */
const DEEPEST_MODULE = 6;
const LONGEST_POINTER = 4096;

/** All of them below `root`; what a pointer names elsewhere is not visible inside. */
export function followGit(root: string, found: { gitDirs: string[]; gitEntries: string[] }): GitFolders {
  const gitDirs = new Set<string>();
  const worktreeDirs = new Set<string>();
  const named = found.gitEntries.flatMap((entry) => pointedTo(root, entry, /^gitdir: (.*)/));
  const queue = [...found.gitDirs, ...named.filter((dir) => hasHead(root, dir))];
  for (let dir = queue.pop(); dir !== undefined; dir = queue.pop()) {
    if (gitDirs.has(dir) || worktreeDirs.has(dir)) continue;
    const common = pointedTo(root, joinBelow(dir, 'commondir'), /(.*)/);
    // A mount stub names the folder itself.
    if (isThere(join(root, dir, 'commondir')) && common[0] !== dir) {
      worktreeDirs.add(dir);
      queue.push(...common);
      continue;
    }
    gitDirs.add(dir);
    queue.push(...modulesIn(root, joinBelow(dir, 'modules'), DEEPEST_MODULE));
    queue.push(...foldersIn(root, joinBelow(dir, 'worktrees')).filter((one) => hasHead(root, one)));
  }
  return {
    gitDirs: [...gitDirs].sort(),
    worktreeDirs: [...worktreeDirs].sort(),
    unfinished: named.filter((dir) => !hasHead(root, dir)),
  };
}

/** The folder that a file names, seen from the file's own folder. */
function pointedTo(root: string, file: string, pattern: RegExp): string[] {
  const path = join(root, file);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isFile() !== true || found.size > LONGEST_POINTER) return [];
  const named = pattern.exec(readFileSync(path, 'utf8').trimEnd())?.[1];
  if (named === undefined) return [];
  const target = real(resolve(dirname(path), named));
  const inside = target === root ? '' : below(root, target);
  return inside === undefined ? [] : [inside];
}

function modulesIn(root: string, dir: string, depth: number): string[] {
  if (depth === 0) return [];
  return foldersIn(root, dir).flatMap((one) => (hasHead(root, one) ? [one] : modulesIn(root, one, depth - 1)));
}

function foldersIn(root: string, dir: string): string[] {
  try {
    const entries = readdirSync(join(root, dir), { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => joinBelow(dir, entry.name));
  } catch {
    return [];
  }
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function hasHead(root: string, dir: string): boolean {
  return isThere(join(root, dir, 'HEAD'));
}
