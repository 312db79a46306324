/** Files and folders made in the workspace so that a mount can cover a path where nothing is. They go when the last VM that needs them stops. */
import { lstatSync, mkdirSync, readFileSync, rmdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { errnoOf } from '../errors.ts';

export interface Placeholder {
  /** Absolute */
  path: string;
  kind: 'dir' | 'file';
  content: string;
}

/** Notes the intent first: a process killed in between leaves nothing that nobody knows of. */
export async function makePlaceholders(recordFile: string, wanted: Placeholder[]): Promise<void> {
  const known = readPlaceholders(recordFile);
  const all = [...known, ...wanted.filter((one) => !known.some(({ path }) => path === one.path))];
  if (all.length > 0) await writeFileAtomic(recordFile, JSON.stringify(all), { mode: 0o600 });
  for (const { path, kind, content } of wanted) {
    try {
      if (kind === 'dir') mkdirSync(path, { mode: 0o755 });
      else writeFileSync(path, content, { flag: 'wx', mode: 0o644 });
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
  }
}

/** Removes those that are still as they were made and that no other record names. Missing ones are no error. */
export function removePlaceholders(recordFile: string, otherRecords: string[]): void {
  const inUse = new Set(otherRecords.flatMap(readPlaceholders).map(({ path }) => path));
  for (const { path, kind, content } of readPlaceholders(recordFile).toReversed()) {
    if (inUse.has(path)) continue;
    try {
      if (kind === 'dir') rmdirSync(path);
      else if (lstatSync(path).isFile() && readFileSync(path, 'utf8') === content) unlinkSync(path);
    } catch {
      // Gone, or used by somebody meanwhile: theirs now.
    }
  }
  try {
    unlinkSync(recordFile);
  } catch {
    // There was none.
  }
}

export function readPlaceholders(recordFile: string): Placeholder[] {
  try {
    return JSON.parse(readFileSync(recordFile, 'utf8')) as Placeholder[];
  } catch {
    return [];
  }
}

export function placeholderAt(workspace: string, path: string, kind: 'dir' | 'file', content = ''): Placeholder {
  return { path: join(workspace, path), kind, content };
}
