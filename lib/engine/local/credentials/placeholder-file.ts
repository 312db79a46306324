/** Keeps the placeholders of a sandbox in its instance folder, until a reset. */
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import writeFileAtomic from 'write-file-atomic';
import { makePlaceholder } from '../../../gateway/credentials/placeholder.ts';
import { type Home, instancePaths } from '../../../paths.ts';

/** Variable → placeholder. Empty for a damaged file: new placeholders are made. */
export function readPlaceholders(home: Home, id: string): Record<string, string> {
  try {
    const value = JSON.parse(readFileSync(instancePaths(home, id).placeholders, 'utf8')) as {
      version: number;
      placeholders: Record<string, string>;
    };
    return value.version === 1 ? value.placeholders : {};
  } catch {
    return {};
  }
}

/** Makes a placeholder for a variable, in the shape of `secret`. */
export function makePlaceholderFor(home: Home, id: string, { env, secret }: { env: string; secret: string }): string {
  const made = makePlaceholder(secret, randomBytes);
  const text = JSON.stringify({ version: 1, placeholders: { ...readPlaceholders(home, id), [env]: made } });
  writeFileAtomic.sync(instancePaths(home, id).placeholders, text, { mode: 0o600 });
  return made;
}

export function dropPlaceholders(home: Home, id: string): void {
  rmSync(instancePaths(home, id).placeholders, { force: true });
}
