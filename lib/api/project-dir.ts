/** Finds the project of the current folder. */
import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { type Known, projectDirOf } from './resolve-sandbox.ts';

/** Its real path, or undefined. @throws when the folder is gone. */
export function ownProject(cwd: string, all: readonly Known[]): string | undefined {
  return projectDirOf(realpathSync.native(cwd), all, (dir) => existsSync(join(dir, 'sandbox.toml')));
}
