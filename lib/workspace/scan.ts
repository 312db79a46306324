/** Looks at a workspace without following links: git folders, and what the `hide` patterns match. */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SbxError } from '../errors.ts';

export interface ScanResult {
  /** Folders named `.git` that are repositories, below the workspace */
  gitDirs: string[];
  /** Files named `.git` (work trees, submodules) */
  gitFiles: string[];
  /** What the patterns match, topmost only */
  hidden: { path: string; kind: 'dir' | 'file' }[];
}

/** Entries looked at before giving up: a larger tree would make every start slow */
const MOST_ENTRIES = 400_000;
const MOST_MATCHES = 1_000;

export async function scanWorkspace(root: string, hide: string[]): Promise<ScanResult> {
  const patterns = hide.map(globToRegExp);
  const result: ScanResult = { gitDirs: [], gitFiles: [], hidden: [] };
  const queue = [''];
  for (let seen = 0; queue.length > 0; ) {
    const dir = queue.pop() ?? '';
    for (const entry of await readdir(join(root, dir), { withFileTypes: true }).catch(() => [])) {
      seen += 1;
      if (seen > MOST_ENTRIES)
        throw new SbxError('workspace', `the workspace ${root} has more than ${MOST_ENTRIES} entries`, {
          hint: 'choose a smaller folder as [workspace] path',
        });
      const path = dir === '' ? entry.name : `${dir}/${entry.name}`;
      if (patterns.some((pattern) => pattern.test(path))) {
        result.hidden.push({ path, kind: entry.isDirectory() ? 'dir' : 'file' });
      } else if (entry.name === '.git') {
        // An empty one is a placeholder, not a repository.
        if (!entry.isDirectory()) result.gitFiles.push(path);
        else if ((await kindAt(join(root, path, 'HEAD'))) !== undefined) result.gitDirs.push(path);
      } else if (entry.isDirectory() && entry.name !== 'node_modules') queue.push(path);
      else if (entry.isDirectory() && patterns.length > 0) queue.push(path);
    }
  }
  if (result.hidden.length > MOST_MATCHES)
    throw new SbxError('workspace', `[workspace] hide matches ${result.hidden.length} paths`, {
      why: `at most ${MOST_MATCHES} can be hidden`,
      hint: 'hide their common folder instead',
    });
  return result;
}

/** As in .gitignore: without a slash at any depth; `**` any number of folders; `*` and `?` inside a name. */
export function globToRegExp(glob: string): RegExp {
  const anchored = glob.replace(/\/$/, '').includes('/');
  const clean = glob.replace(/^\//, '').replace(/\/$/, '');
  const body = clean
    .split('/')
    .map((part) =>
      part === '**'
        ? '(?:.*)'
        : part
            .replace(/[.+^${}()|[\]\\]/g, '\\$&')
            .replaceAll('*', '[^/]*')
            .replaceAll('?', '[^/]'),
    )
    .join('/')
    .replaceAll('(?:.*)/', '(?:.*/)?');
  return new RegExp(`^${anchored ? '' : '(?:.*/)?'}${body}$`);
}

/** True when a pattern names one path and nothing else. */
export function isExact(glob: string): boolean {
  return !/[*?[]/.test(glob);
}

/** What stands at a path, not following a last link; undefined: nothing. */
export async function kindAt(path: string): Promise<'dir' | 'file' | 'link' | 'other' | undefined> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return undefined;
  if (found.isSymbolicLink()) return 'link';
  return found.isDirectory() ? 'dir' : found.isFile() ? 'file' : 'other';
}
