/** Finds files that git tracks and a sandbox does not see: git inside takes them for deleted. */
import { tryGit } from './git.ts';
import { globMatcher } from './hide-match.ts';

const DEADLINE_MS = 5_000;

/** Paths below the folder; none where git has no answer: the check is a help, no control. */
export async function trackedHidden(folder: string, hide: string[]): Promise<string[]> {
  if (hide.length === 0) return [];
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const { code, stdout } = await tryGit(['-C', folder, 'ls-files', '--cached', '-z'], { signal }).catch(() => ({
    code: 1,
    stdout: '',
  }));
  if (code !== 0) return [];
  const matches = globMatcher(hide);
  return [...new Set(stdout.split('\0'))].filter((path) => path !== '' && matches(path));
}
