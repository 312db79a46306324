/** A folder without a repository, read into a repository of our own: the folder itself is only read. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { addFiles, namesOf, type ReadOptions, visible } from './add-files.ts';
import { git } from './git.ts';
import type { CloneSource } from './source.ts';

const PREFIX = 'folder-';
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
    mkdirSync(parent, { recursive: true, mode: 0o700 });
    // Left by a process that was killed: the caller MUST NOT run two at a time with one parent.
    for (const name of readdirSync(parent).filter((one) => one.startsWith(PREFIX)))
      rmSync(join(parent, name), { recursive: true, force: true });
    const dir = mkdtempSync(join(parent, PREFIX));
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
