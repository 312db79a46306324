/** What is on the host and in no commit, as a patch. The user's repository is only read. */
import type { Readable } from 'node:stream';
import { addFiles, namesOf, type ReadOptions, visible } from './add-files.ts';
import { git } from './git.ts';
import { PACK_LIMITS } from './pack-limits.ts';
import { Quarantine } from './quarantine.ts';
import type { CloneSource } from './source.ts';

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
