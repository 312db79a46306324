/** Reads files as they lie in a folder into the index of a repository of our own. */
import { SbxError } from '../../errors.ts';
import { git } from './git.ts';
import { globMatcher } from './hide-match.ts';
import { shownText } from './shown-text.ts';

export interface ReadOptions {
  /** Patterns of paths that are left out */
  hide: string[];
  /** Folder for the repository, removed at the end */
  parent: string;
  signal?: AbortSignal | undefined;
}

/** Files that are gone are removed from the index. */
export async function addFiles(
  at: string[],
  { names, signal }: { names: string[]; signal: AbortSignal | undefined },
): Promise<void> {
  const nested = names.find((name) => name.endsWith('/'));
  if (nested !== undefined)
    throw new SbxError('workspace', `a repository lies in the folder: ${shownText(nested)}`, {
      why: 'the folder itself is in no repository',
      hint: 'add it to [workspace] hide, run `git init` in the folder, or use mode = "mount"',
    });
  const input = names.map((name) => `${name}\0`).join('');
  await git([...at, 'update-index', '--add', '--remove', '-z', '--stdin'], { input, signal });
}

export function visible(names: string[], hide: string[]): string[] {
  const isHidden = globMatcher(hide);
  return names.filter((name) => !isHidden(name.replace(/\/$/, '')));
}

export function namesOf(list: string): string[] {
  return list.split('\0').filter((name) => name !== '');
}
