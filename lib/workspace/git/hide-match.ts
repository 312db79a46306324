/** Matches the paths of a history against `hide`. Pure. */

import { compileGlob } from '../policy/match/glob.ts';

/** A file is hidden with each folder above it. */
export function globMatcher(hide: string[]): (path: string) => boolean {
  const globs = hide.map(compileGlob);
  return (path) =>
    globs.some((matches) => matches(path, false) || parentsOf(path).some((parent) => matches(parent, true)));
}

/** `a/b/c` → `a`, `a/b` */
function parentsOf(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
}
