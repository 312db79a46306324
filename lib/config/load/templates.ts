/** Finds the templates that come with sbx: one TOML file each. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { treeOf } from '../remote/tree-cache.ts';

/** Names without `.toml`, sorted */
export async function builtinTemplates(): Promise<string[]> {
  const names = await readdir(templatesDir()).catch(() => []);
  return names
    .filter((name) => name.endsWith('.toml'))
    .map((name) => name.slice(0, -'.toml'.length))
    .toSorted();
}

/** For messages: a built-in template by its name, one of a repository by its path there, any other file as `shorten` says. */
export function shownFile(file: string, shorten: (file: string) => string = (path) => path): string {
  const fetched = treeOf(file);
  if (fetched !== undefined) return `fetched ${fetched.path}`;
  return dirname(file) === templatesDir() ? `template ${basename(file, '.toml')}` : shorten(file);
}

/** Beside package.json, from the sources as well as from the bundle. */
export function templatesDir(): string {
  let dir = import.meta.dirname;
  while (!existsSync(join(dir, 'package.json')) && dir !== '/') dir = dirname(dir);
  return join(dir, 'templates');
}
