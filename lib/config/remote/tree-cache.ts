/** Keeps the fetched files of repositories: a folder for each content, named by its hash. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { errnoOf } from '../../errors.ts';
import { removeTree } from '../../system/remove-tree.ts';

/** By path, relative to the top of the repository */
export type Files = ReadonlyMap<string, Buffer>;

/** Depends on the paths and the bytes of all files. 64 hex digits */
function contentOf(files: Files): string {
  const parts = [...files]
    .map(([path, bytes]): [string, string] => [path, createHash('sha256').update(bytes).digest('hex')])
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

function folderOf(stateDir: string): string {
  return join(stateDir, 'templates');
}

/** The folder of a content; undefined: it was never fetched, or is not what its name says. Its files are read and compared. */
export function findTree(stateDir: string, content: string): string | undefined {
  const dir = join(folderOf(stateDir), content);
  try {
    return contentOf(filesIn(dir)) === content ? dir : undefined;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whole, or not at all. @returns its folder */
export function storeTree(stateDir: string, files: Files): string {
  const content = contentOf(files);
  const known = findTree(stateDir, content);
  if (known !== undefined) return known;
  const dir = join(folderOf(stateDir), content);
  const part = `${dir}.${process.pid}-${randomBytes(4).toString('hex')}`;
  for (const [path, bytes] of files) {
    mkdirSync(dirname(join(part, path)), { recursive: true, mode: 0o700 });
    writeFileSync(join(part, path), bytes, { mode: 0o600 });
  }
  removeTree(dir);
  renameSync(part, dir);
  return dir;
}

const IN_TREE = /^(.*\/templates\/[0-9a-f]{64})\/(.+)$/;

/** The folder of the content that a file belongs to; undefined: it is not a fetched one */
export function treeOf(file: string): { dir: string; path: string } | undefined {
  const [, dir, path] = IN_TREE.exec(file) ?? [];
  return dir === undefined || path === undefined ? undefined : { dir, path };
}

function filesIn(dir: string): Files {
  const found = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory());
  return new Map(
    found.map((entry) => {
      const file = join(entry.parentPath, entry.name);
      return [relative(dir, file), readFileSync(file)];
    }),
  );
}
