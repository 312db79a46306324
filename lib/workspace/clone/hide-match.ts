/** Matches the paths of a history against `hide`. Pure. */

import { parentsOf } from '../protect/folder-paths.ts';
import { compileGlob } from '../protect/glob.ts';

/** A file is hidden with each folder above it. */
export function globMatcher(hide: string[]): (path: string) => boolean {
  const globs = hide.map(compileGlob);
  return (path) =>
    globs.some((matches) => matches(path, false) || parentsOf(path).some((parent) => matches(parent, true)));
}
