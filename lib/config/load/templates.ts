/** Finds the templates that come with sbx: one TOML file each. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Names without `.toml`, sorted */
export async function builtinTemplates(): Promise<string[]> {
  const names = await readdir(templatesDir()).catch(() => []);
  return names
    .filter((name) => name.endsWith('.toml'))
    .map((name) => name.slice(0, -'.toml'.length))
    .toSorted();
}

/** Beside package.json, from the sources as well as from the bundle. */
export function templatesDir(): string {
  let dir = import.meta.dirname;
  while (!existsSync(join(dir, 'package.json')) && dir !== '/') dir = dirname(dir);
  return join(dir, 'templates');
}
