import { spawnSync } from 'node:child_process';

/**
 * True when the host's git would take a file at this path into the next `git add -A`: a stand-in there must be an empty folder,
 * which git does not see. Elsewhere it is a file, so that a program that writes the real one succeeds.
 */
export function wouldBeCommitted(root: string, path: string): boolean {
  const { PATH, HOME, XDG_CONFIG_HOME } = process.env;
  const options = { env: { PATH, HOME, XDG_CONFIG_HOME, LC_ALL: 'C' }, stdio: 'ignore', timeout: 5_000 } as const;
  // 0: ignored, 1: not ignored, 128: no repository.
  return spawnSync('git', ['-C', root, 'check-ignore', '--quiet', '--no-index', '--', path], options).status === 1;
}
