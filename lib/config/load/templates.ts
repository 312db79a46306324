/** The templates that come with sbx: one TOML file each. */

import { readdir } from 'node:fs/promises';
import { templatesDir } from './templates-dir.ts';

export async function builtinTemplates(): Promise<string[]> {
  const names = await readdir(templatesDir()).catch(() => []);
  return names
    .filter((name) => name.endsWith('.toml'))
    .map((name) => name.slice(0, -'.toml'.length))
    .toSorted();
}
