/** Looks at paths below a folder without ever following a link. */
import { lstatSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { SbxError } from '../../errors.ts';

export type Kind = 'dir' | 'file' | 'link' | 'other';

/** The kind of entry at a path; undefined: none. `link` also when a folder on the way is one: what it names could be exchanged. */
export function kindBelow(root: string, path: string): Kind | undefined {
  let kind: Kind | undefined = 'dir';
  let at = root;
  for (const name of path.split('/')) {
    if (kind !== 'dir') return kind === 'link' ? 'link' : undefined;
    at = join(at, name);
    kind = kindOf(lstatSync(at, { throwIfNoEntry: false }));
  }
  return kind;
}

function kindOf(found: Stats | undefined): Kind | undefined {
  if (found === undefined) return undefined;
  if (found.isSymbolicLink()) return 'link';
  return found.isDirectory() ? 'dir' : found.isFile() ? 'file' : 'other';
}

/** Also a link to nothing: git's HEAD may be one. */
export function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** `a/b/c` → `a`, `a/b` */
export function parentsOf(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
}

export function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}

/** The path below `root`, or undefined when it lies elsewhere. */
export function below(root: string, path: string): string | undefined {
  return path !== root && isInside(path, root) ? path.slice(root.length + 1) : undefined;
}

/** `hooks` in `.git` → `.git/hooks`; in the folder itself (``) → `hooks` */
export function joinBelow(dir: string, path: string): string {
  return dir === '' ? path : `${dir}/${path}`;
}

export function linked(root: string, path: string): SbxError {
  return new SbxError('workspace', `${join(root, path)} is a symbolic link, or lies behind one`, {
    why: 'a protected or hidden path must be a file or a folder of the workspace itself: a link could be exchanged',
    hint: `replace the link; if "${path}" is a built-in protected path, [workspace] unprotect opens it`,
  });
}
