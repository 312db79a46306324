/** Asks the host's git whether it would commit a path. */
import { runToEnd } from '../../system/run-tool.ts';

/**
 * True when the host's git would take a file at this path into the next `git add -A`: a mount stub there must be an empty folder,
 * which git does not see. Elsewhere it is a file, so that a program that writes the real one succeeds.
 */
export async function wouldBeCommitted(root: string, path: string): Promise<boolean> {
  const { PATH, HOME, XDG_CONFIG_HOME } = process.env;
  const args = ['-C', root, 'check-ignore', '--quiet', '--no-index', '--', path];
  const options = { env: { PATH, HOME, XDG_CONFIG_HOME, LC_ALL: 'C' }, deadlineMs: 5_000 };
  const ended = await runToEnd('git', args, options).catch(() => undefined);
  // 0: ignored, 1: not ignored, 128: no repository.
  return ended?.code === 1;
}
