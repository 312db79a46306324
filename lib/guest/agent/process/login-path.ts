/** Keeps the configured PATH in login shells: the profile of a distribution sets one of its own. */
import { readFileSync, writeFileSync } from 'node:fs';
import { LOGIN_PATH } from '../../protocol/messages.ts';

const FILE = '/etc/profile.d/sbx-path.sh';
const TEXT = `[ -z "$${LOGIN_PATH}" ] || export PATH="$${LOGIN_PATH}"\n`;

/** Written when a command needs it first. Without it, only login shells miss the configured PATH: no command fails for that. */
export function keepLoginPath(env: Record<string, string>, file: string = FILE): void {
  if (env[LOGIN_PATH] === undefined) return;
  try {
    if (textOf(file) !== TEXT) writeFileSync(file, TEXT, { mode: 0o644 });
  } catch {
    // The guest has no such folder, or made it something else.
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
