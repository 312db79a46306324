/** Brings one checked commit into the user's repository, as one branch. Work tree, index, HEAD and other references stay as they are. */
import { SbxError } from '../../errors.ts';
import { git, tryGit, withoutBase } from '../git/git.ts';
import { refused } from '../git/pack-limits.ts';

export interface Delivery {
  /** Of the quarantine */
  from: string;
  commonDir: string;
  commit: string;
  base: string[];
  /** `sbx/<name>` */
  branch: string;
  /** Replaces a branch that has other commits */
  force: boolean;
  /** For tests only: git as it comes */
  unsafe?: boolean;
}

/** Objects first, the branch last: an interruption leaves nothing that is visible. @throws SbxError `workspace` */
export async function deliver({
  from,
  commonDir,
  commit,
  base,
  branch,
  force,
  unsafe = false,
}: Delivery): Promise<void> {
  if (!/^sbx\/[a-z0-9][a-z0-9-]*$/.test(branch)) throw refused(`invalid branch: ${branch}`);
  const ref = `refs/heads/${branch}`;
  const before = (await tryGit(['--git-dir', commonDir, 'rev-parse', '--quiet', '--verify', ref])).stdout.trim();
  if (before === commit) return;
  await refuseCheckedOut(commonDir, ref);
  const input = withoutBase(commit, base);
  await git(['-C', from, 'pack-objects', '-q', '--revs', '--thin', '--stdout'], {
    input,
    onOutput: (pack) => git(['--git-dir', commonDir, 'index-pack', '--stdin', '--fix-thin'], { input: pack, unsafe }),
  });
  if (before !== '' && !force) await refuseRewind(commonDir, { before, commit, branch });
  const old = before === '' ? '0'.repeat(commit.length) : before;
  const { code, stderr } = await tryGit(
    ['--git-dir', commonDir, 'update-ref', '--no-deref', '-m', 'sbx fetch', ref, commit, old],
    { unsafe },
  );
  if (code !== 0)
    throw new SbxError('workspace', `the branch ${branch} could not be written`, {
      why: stderr,
      hint: 'a branch with the name `sbx` is in the way of all `sbx/…`; rename it with `git branch -m`',
    });
}

async function refuseCheckedOut(commonDir: string, ref: string): Promise<void> {
  const trees = await git(['--git-dir', commonDir, 'worktree', 'list', '--porcelain']);
  if (!trees.split('\n').includes(`branch ${ref}`)) return;
  throw new SbxError('workspace', `${ref.slice('refs/heads/'.length)} is checked out on the host`, {
    why: 'its work tree would no longer match it',
    hint: 'switch to another branch, for example with `git switch -`, and fetch again',
  });
}

async function refuseRewind(
  commonDir: string,
  { before, commit, branch }: Record<'before' | 'commit' | 'branch', string>,
): Promise<void> {
  const { code } = await tryGit(['--git-dir', commonDir, 'merge-base', '--is-ancestor', before, commit]);
  if (code === 0) return;
  throw new SbxError('workspace', `${branch} has commits that the sandbox does not have`, {
    hint: 'rename the branch with `git branch -m`, or add --force to replace it',
  });
}
