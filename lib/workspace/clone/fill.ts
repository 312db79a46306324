/** Makes the clone in a guest: history as a bundle, then a work tree. The guest gets no path to the host. */
import { join } from 'node:path';
import { SbxError } from '../../errors.ts';
import { git } from '../git/git.ts';
import { refuseHiddenHistory } from '../git/hidden-history.ts';
import { isPlainFolder, PlainFolder } from '../git/plain-folder.ts';
import { type CloneSource, readSource, revisionsOf } from '../git/source.ts';
import { readUncommitted } from '../git/uncommitted.ts';
import { type CloneGuest, runInGuest } from './guest.ts';
import type { InnerClone } from './record.ts';

export interface FillOptions {
  /** Patterns of paths that MUST NOT reach the guest */
  hide: string[];
  /** Folder of the host for what is read on the way */
  parent: string;
  /** Also what is in no commit */
  uncommitted?: boolean;
  /** Folder of the clone in the guest; default: that of the host's work tree */
  target?: string;
  signal?: AbortSignal | undefined;
}

/** Written by root when all is there: an interrupted fill is begun again, a finished one never. */
const READY = '/var/lib/sbx-clone-ready';
const DEPTH_MAX = 8;

const IS_READY = `test ! -e ${READY} || echo ready`;
const SET_READY = `mkdir -p /var/lib && touch ${READY}`;
const MAKE_FOLDER = 'mkdir -p -- "$1" && chown agent: "$1"';

// What is hidden from `git log` is kept below refs/sbx: the base that work is compared with.
const FILL = `set -eu
top=$1 branch=$2 head=$3 origin=$4 format=$5 shallow=$6
command -v git >/dev/null || { echo "git is not installed: add it to [packages] apt" >&2; exit 1; }
export GIT_LFS_SKIP_SMUDGE=1
cd -- "$top"
rm -rf .git
case $format in sha256) git init -q --object-format=sha256 . ;; *) git init -q . ;; esac
if [ -n "$head" ]; then
  [ -z "$shallow" ] || printf '%s\\n' "$shallow" >.git/shallow
  cat >.git/sbx-in
  git fetch -q --no-tags --update-head-ok ./.git/sbx-in '+refs/heads/*:refs/heads/*' '+refs/tags/*:refs/tags/*' \\
    '+refs/remotes/*:refs/remotes/*' '+refs/*:refs/sbx/base/*' '+HEAD:refs/sbx/base/HEAD'
  rm -f .git/sbx-in .git/FETCH_HEAD
  git cat-file -e "$head^{commit}" 2>/dev/null || head=$(git rev-parse refs/sbx/base/HEAD)
fi
if [ -n "$branch" ]; then git symbolic-ref HEAD "$branch"; fi
if [ -n "$head" ]; then
  if [ -n "$branch" ]; then git update-ref HEAD "$head"; else git update-ref --no-deref HEAD "$head"; fi
  git reset -q --hard
fi
[ -z "$origin" ] || git remote add origin "$origin"`;

const LINK_SUBMODULES = 'cd -- "$1" && git submodule -q init && git submodule -q absorbgitdirs';

// The state with them is kept as a base, so that they do not count as work of the sandbox.
const TAKE_PATCH = `set -eu
cd -- "$1"
patch=.git/sbx-in
cat >"$patch"
git reset -q --hard 2>/dev/null || :
git clean -fdq
[ ! -s "$patch" ] || git apply --whitespace=nowarn "$patch"
rm -f "$patch"
GIT_INDEX_FILE=.git/sbx-index && export GIT_INDEX_FILE
git read-tree HEAD 2>/dev/null || :
git add -A
git update-ref refs/sbx/base/uncommitted \
  "$(git -c user.name=sbx -c user.email=sbx@localhost commit-tree -m uncommitted "$(git write-tree)")"
rm -f "$GIT_INDEX_FILE"`;

export type FilledClone = CloneSource & { inner: InnerClone[] };

/** Once for each disk of a sandbox. @returns undefined when the clone was there already */
export async function fillClone(
  guest: CloneGuest,
  folder: string,
  options: FillOptions,
): Promise<FilledClone | undefined> {
  if (
    (await runInGuest(guest, { script: IS_READY, args: [], user: 'root', signal: options.signal })).trim() === 'ready'
  )
    return undefined;
  const source = isPlainFolder(folder)
    ? await fillPlain(guest, folder, options)
    : await fillRepository(guest, await readSource(folder), options);
  await runInGuest(guest, { script: SET_READY, args: [], user: 'root', signal: options.signal });
  return source;
}

async function fillPlain(guest: CloneGuest, folder: string, options: FillOptions): Promise<FilledClone> {
  using plain = await PlainFolder.read(folder, options);
  const inner = await fillOne(guest, plain.source, { ...options, target: options.target ?? folder }, 0);
  return { ...plain.source, inner };
}

async function fillRepository(guest: CloneGuest, source: CloneSource, options: FillOptions): Promise<FilledClone> {
  const target = options.target ?? source.top;
  const inner = await fillOne(guest, source, { ...options, target }, 0);
  if (options.uncommitted === true)
    await readUncommitted(source, options, (patch) =>
      runInGuest(guest, { script: TAKE_PATCH, args: [target], user: 'agent', input: patch, signal: options.signal }),
    );
  return { ...source, inner };
}

type One = FillOptions & { target: string };

/** @returns its submodules, and theirs */
async function fillOne(guest: CloneGuest, source: CloneSource, options: One, depth: number): Promise<InnerClone[]> {
  if (depth > DEPTH_MAX) throw new SbxError('workspace', 'submodules are nested too deeply', { why: source.top });
  await refuseHiddenHistory(source, options.hide);
  await runInGuest(guest, { script: MAKE_FOLDER, args: [options.target], user: 'root', signal: options.signal });
  await sendHistory(guest, source, options);
  const found: InnerClone[] = [];
  for (const { path, commit } of source.submodules) {
    const inner = await readSource(join(source.top, path));
    // The commit that the outer repository names, on no branch, as `git submodule update` leaves it.
    const wanted = { ...inner, head: inner.head === '' ? '' : commit, branch: '' };
    const below = await fillOne(guest, wanted, { ...options, target: join(options.target, path) }, depth + 1);
    found.push({ path, tips: inner.tips, head: wanted.head });
    found.push(...below.map((one) => ({ ...one, path: join(path, one.path) })));
  }
  if (source.submodules.length > 0)
    await runInGuest(guest, { script: LINK_SUBMODULES, args: [options.target], user: 'agent', signal: options.signal });
  return found;
}

async function sendHistory(guest: CloneGuest, source: CloneSource, { target, signal }: One): Promise<void> {
  const { dir, branch, head, origin, format, shallow } = source;
  const args = [target, branch, head, origin, format, shallow.join('\n')];
  if (head === '') {
    await runInGuest(guest, { script: FILL, args, user: 'agent', signal });
    return;
  }
  await git(['-C', dir, 'bundle', 'create', '--quiet', '-', ...revisionsOf(source)], {
    signal,
    onOutput: (bundle) => runInGuest(guest, { script: FILL, args, user: 'agent', input: bundle, signal }),
  });
}
