/** Reads what a clone of the host's repository needs. Nothing is written, and nothing of the repository is run. */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { SbxError } from '../../errors.ts';
import { git, tryGit } from './git.ts';

export interface CloneSource {
  /** Top of the work tree, absolute */
  top: string;
  /** Where git reads it; the top, unless the folder has no repository */
  dir: string;
  /** Where its objects and branches are: of a worktree, the repository's own */
  commonDir: string;
  /** `refs/heads/…`; empty: HEAD is detached */
  branch: string;
  /** Empty: no commit yet */
  head: string;
  /** Each object that the clone's references name */
  tips: string[];
  /** Commits at which a shallow repository's history is cut off */
  shallow: string[];
  format: 'sha1' | 'sha256';
  /** Without credentials; empty: none that means the same in a sandbox */
  origin: string;
  /** Submodules that are checked out on the host */
  submodules: { path: string; commit: string }[];
}

/** The references of a clone. Other sandboxes' work stays out. */
export function revisionsOf({ head }: Pick<CloneSource, 'head'>): string[] {
  return [...(head === '' ? [] : ['HEAD']), '--exclude=sbx/*', '--branches', '--tags', '--remotes=origin'];
}

/** @throws SbxError `workspace`: no repository, or one that cannot be cloned in full */
export async function readSource(folder: string): Promise<CloneSource> {
  const found = await tryGit(['-C', folder, 'rev-parse', '--show-toplevel']);
  if (found.code !== 0)
    throw new SbxError('workspace', `${folder} is not the work tree of a git repository`, {
      why: found.stderr,
      hint: 'run `git init` and commit there, or use mode = "mount"',
    });
  const top = oneLine(found.stdout);
  const ask = async (...args: string[]) => oneLine((await tryGit(['-C', top, ...args])).stdout);
  const commonDir = realpathSync(
    await git(['-C', top, 'rev-parse', '--path-format=absolute', '--git-common-dir']).then(oneLine),
  );
  await refusePartial(top);
  const head = await ask('rev-parse', '--quiet', '--verify', 'HEAD^{commit}');
  const tips = await git(['-C', top, 'rev-parse', ...revisionsOf({ head })]);
  return {
    top,
    dir: top,
    commonDir,
    branch: await ask('symbolic-ref', '--quiet', 'HEAD'),
    head,
    tips: [...new Set(tips.split('\n').filter((line) => line !== ''))],
    shallow: shallowOf(commonDir),
    format: (await ask('rev-parse', '--show-object-format')) === 'sha256' ? 'sha256' : 'sha1',
    origin: plainUrl(await ask('config', '--get', 'remote.origin.url')),
    submodules: head === '' ? [] : await submodulesOf(top),
  };
}

/** A URL as a sandbox may know it: credentials are removed, paths of the host left out. Pure. */
function plainUrl(url: string): string {
  if (/^[\w.-]+@[\w.-]+:[^:]/.test(url)) return url;
  if (!/^(https?|ssh|git):\/\//.test(url) || !URL.canParse(url)) return '';
  const plain = new URL(url);
  plain.password = '';
  if (plain.protocol !== 'ssh:') plain.username = '';
  return plain.href;
}

export function shallowOf(commonDir: string): string[] {
  const file = join(commonDir, 'shallow');
  return existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => /^[0-9a-f]{40,64}$/.test(line))
    : [];
}

/** What is missing would have to be fetched from a server, with credentials and whatever the configuration names. */
async function refusePartial(top: string): Promise<void> {
  const { code } = await tryGit([
    '-C',
    top,
    'config',
    '--get-regexp',
    '^(remote\\..*\\.promisor|extensions\\.partialclone)$',
  ]);
  if (code !== 0) return;
  throw new SbxError('workspace', `${top} is a partial clone`, {
    why: 'objects that are missing cannot be copied into a sandbox',
    hint: 'get the rest with `git fetch --refetch --no-filter`, remove `remote.<name>.promisor`; or use mode = "mount"',
  });
}

async function submodulesOf(top: string): Promise<CloneSource['submodules']> {
  const tree = await git(['-C', top, 'ls-tree', '-r', '-z', '--full-tree', 'HEAD']);
  return tree.split('\0').flatMap((line) => {
    const [, commit, path] = /^160000 commit ([0-9a-f]+)\t(.+)$/s.exec(line) ?? [];
    return commit !== undefined && path !== undefined && isCheckedOut(top, path) ? [{ path, commit }] : [];
  });
}

/** Not through a link: a folder elsewhere is no submodule. */
export function isCheckedOut(top: string, path: string): boolean {
  const folder = join(top, path);
  return existsSync(join(folder, '.git')) && realpathSync(folder) === join(realpathSync(top), path);
}

function oneLine(text: string): string {
  return text.replace(/\n$/, '');
}
