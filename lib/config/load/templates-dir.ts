/** Where the templates that come with sbx stand. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Beside package.json, from the sources as well as from the bundle. */
export function templatesDir(): string {
  let dir = import.meta.dirname;
  while (!existsSync(join(dir, 'package.json')) && dir !== '/') dir = dirname(dir);
  return join(dir, 'templates');
}
