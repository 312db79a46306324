/** Asks a guest what its clone has that the host has not: as a diff, and as counts before it is thrown away. */
import { type CloneGuest, runInGuest } from './guest.ts';
import type { CloneRecord } from './record.ts';

const DIFF_MAX = 8 * 1024 * 1024;

// An index of its own: that of the agent stays as it is.
const DIFF = `set -eu
cd -- "$1"
GIT_INDEX_FILE=$(mktemp -u) && export GIT_INDEX_FILE
trap 'rm -f "$GIT_INDEX_FILE"' EXIT
base=$(git rev-parse --quiet --verify refs/sbx/base/uncommitted || echo "$2")
[ -n "$base" ] || base=$(git hash-object -t tree /dev/null)
git read-tree HEAD 2>/dev/null || :
git add -A
case $3 in
patch) exec git --no-pager diff --cached --binary --no-color --no-ext-diff --no-textconv --no-renames "$base" -- "$4" ;;
esac
[ -z "$2" ] || git --no-pager log --no-color --format='commit %H%n    %s' "$2"..HEAD -- "$4"
git --no-pager diff --cached --no-color --no-ext-diff --no-textconv "$base" -- "$4"`;

const COUNT = `set -eu
cd -- "$1"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
changed() { GIT_INDEX_FILE=$dir/index git diff --cached --name-only --no-renames "$1" | sort; }
GIT_INDEX_FILE=$dir/index git read-tree HEAD 2>/dev/null || :
GIT_INDEX_FILE=$dir/index git add -A
changed "$(git rev-parse --quiet --verify HEAD || git hash-object -t tree /dev/null)" >"$dir/all"
if git rev-parse --quiet --verify refs/sbx/base/uncommitted >/dev/null; then
  changed refs/sbx/base/uncommitted | comm -12 "$dir/all" - | wc -l
else wc -l <"$dir/all"; fi
if git rev-parse --quiet --verify HEAD >/dev/null; then
  git rev-list --count --ignore-missing --stdin --branches --tags HEAD --glob=refs/stash --not --glob='refs/sbx/base/*'
else echo 0; fi
export fetched="$2"
git submodule --quiet foreach --recursive \
  'git rev-list --count --ignore-missing --branches HEAD --not --glob="refs/sbx/base/*" $fetched' |
  awk '{ all += $1 } END { print all + 0 }'`;

interface Asked {
  /** Folder of the clone in the guest; default: as on the host */
  target?: string;
  signal?: AbortSignal | undefined;
  /** Only the changes, in full, for `git apply` */
  asPatch?: boolean;
  /** Only at and below this path in the guest; default: the whole clone */
  below?: string | undefined;
}

/** Commits and uncommitted changes against the base. MUST be made safe before it is shown */
export function diffOfClone(
  guest: CloneGuest,
  record: CloneRecord,
  { target = record.top, asPatch = false, below = target, signal }: Asked = {},
): Promise<string> {
  const args = [target, record.head, asPatch ? 'patch' : 'text', below];
  return runInGuest(guest, { script: DIFF, args, user: 'agent', limitBytes: DIFF_MAX, signal });
}

export interface Unsaved {
  /** Files with uncommitted changes */
  changes: number;
  /** Commits that were not fetched */
  commits: number;
}

export async function unsavedIn(
  guest: CloneGuest,
  record: CloneRecord,
  { target = record.top, signal }: Asked = {},
): Promise<Unsaved> {
  const input = record.fetched.map((id) => `^${id}\n`).join('');
  const answer = await runInGuest(guest, {
    script: COUNT,
    args: [target, record.fetched.join(' ')],
    user: 'agent',
    input,
    signal,
  });
  const [changes = 1, commits = 1, inner = 0] = answer
    .trim()
    .split('\n')
    .map((line) => Number(line.trim()) || 0);
  return { changes, commits: commits + inner };
}
