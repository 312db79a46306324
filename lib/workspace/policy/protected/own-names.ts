/** Names that sbx itself uses for a moment in a folder of the user: no guest may see or make one. */

/** Of a file that `sbx accept` writes beside its target, then renames over it */
export const ACCEPT_PREFIX = '.sbx-accept-';

/** @param name as the host's file system compares names */
export function isOwnName(name: string): boolean {
  return name.startsWith(ACCEPT_PREFIX);
}
