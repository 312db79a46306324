/** Reads files as they lie in a folder into git objects of a repository of its own: that of the user is only read. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { SbxError } from '../../errors.ts';
import { git } from './git.ts';
import { globMatcher } from './hide-match.ts';
import { PACK_LIMITS } from './pack-limits.ts';
import { Quarantine } from './quarantine.ts';
import { shownText } from './shown-text.ts';
import type { CloneSource } from './source.ts';

interface ReadOptions {
  /** Patterns of paths that are left out */
  hide: string[];
  /** Folder for the repository, removed at the end */
  parent: string;
  signal?: AbortSignal | undefined;
}

const FIRST_COMMIT = 'Files of the folder';
const IDENTITY = ['-c', 'user.name=sbx', '-c', 'user.email=sbx@localhost'];

/** True for a folder that lies in no work tree. One whose repository is damaged is not plain. */
export function isPlainFolder(folder: string): boolean {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, '.git'))) return false;
    if (at === dirname(at)) return true;
  }
}

/** A repository with one commit of a folder's files, without the ignored ones. */
export class PlainFolder implements Disposable {
  readonly source: CloneSource;

  private constructor(source: CloneSource) {
    this.source = source;
  }

  /** @throws SbxError `workspace`: a repository lies in it */
  static async read(folder: string, { hide, parent, signal }: ReadOptions): Promise<PlainFolder> {
    const dir = mkdtempSync(join(parent, 'folder-'));
    try {
      await git(['init', '--quiet', '--bare', '--template=', '--initial-branch=main', dir]);
      const at = [`--git-dir=${dir}`, `--work-tree=${folder}`];
      const names = namesOf(await git([...at, '-C', folder, 'ls-files', '-z', '--others', '--exclude-standard']));
      await addFiles(at, { names: visible(names, hide), signal });
      const tree = (await git([...at, 'write-tree'])).trim();
      const head = (await git([...IDENTITY, ...at, 'commit-tree', '-m', FIRST_COMMIT, tree])).trim();
      await git([...at, 'update-ref', 'refs/heads/main', head]);
      return new PlainFolder({
        ...{ top: folder, dir, commonDir: dir, branch: 'refs/heads/main', head, tips: [head] },
        ...{ shallow: [], format: 'sha1' as const, origin: '', submodules: [] },
      });
    } catch (error) {
      rmSync(dir, { recursive: true, force: true });
      throw error;
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.source.dir, { recursive: true, force: true });
  }
}

/** Hands on a patch of what is changed or new on the host and in no commit; empty: nothing. Ignored files and submodules are left out. */
export async function readUncommitted(
  source: CloneSource,
  { hide, parent, signal }: ReadOptions,
  onPatch: (patch: Readable) => Promise<unknown>,
): Promise<void> {
  const { top, commonDir, format, head } = source;
  using scratch = await Quarantine.create({ parent, commonDir, format, limits: PACK_LIMITS, signal });
  const at = [`--git-dir=${scratch.dir}`, `--work-tree=${top}`];
  const base = head === '' ? (await git([...at, 'hash-object', '-t', 'tree', '-w', '--stdin'])).trim() : head;
  if (head !== '') await git([...at, 'read-tree', head]);
  const list = async (...args: string[]) => namesOf(await git(['-C', top, ...args]));
  const tracked =
    head === ''
      ? await list('ls-files', '-z')
      : // Compares no contents: `git diff` would run the repository's filters.
        await list('diff-index', '-z', '--name-only', '--no-renames', '--ignore-submodules', 'HEAD');
  const fresh = await list('ls-files', '-z', '--others', '--exclude-standard');
  const names = visible([...tracked, ...fresh.filter((name) => !name.endsWith('/'))], hide);
  await addFiles(at, { names, signal });
  await git([...at, 'diff', '--cached', '--binary', '--no-renames', '--no-ext-diff', '--no-textconv', base], {
    onOutput: onPatch,
    signal,
  });
}

/** Files that are gone are removed from the index. */
async function addFiles(
  at: string[],
  { names, signal }: { names: string[]; signal: AbortSignal | undefined },
): Promise<void> {
  const nested = names.find((name) => name.endsWith('/'));
  if (nested !== undefined)
    throw new SbxError('workspace', `a repository lies in the folder: ${shownText(nested)}`, {
      why: 'the folder itself is in no repository',
      hint: 'add it to [workspace] hide, run `git init` in the folder, or use mode = "mount"',
    });
  const input = names.map((name) => `${name}\0`).join('');
  await git([...at, 'update-index', '--add', '--remove', '-z', '--stdin'], { input, signal });
}

function visible(names: string[], hide: string[]): string[] {
  const isHidden = globMatcher(hide);
  return names.filter((name) => !isHidden(name.replace(/\/$/, '')));
}

function namesOf(list: string): string[] {
  return list.split('\0').filter((name) => name !== '');
}
