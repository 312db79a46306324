/** Removes a folder that a guest has written: it may have closed folders to their owner, and nest deeper than a path can name. */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';

/** Nothing there is no error. Links are removed, never followed. Throws where the system keeps something. */
export function removeTree(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // Both walk by open folders, without a path of more than one name.
    execFileSync('chmod', ['-R', '--', 'u+rwX', path], { stdio: 'ignore' });
    execFileSync('rm', ['-rf', '--', path], { stdio: 'pipe' });
  }
}
