/** Fetches what a sandbox committed in the submodules of its clone, each by a quarantine of its own. */
import { join } from 'node:path';
import { git } from '../git/git.ts';
import type { PackLimits } from '../git/pack-limits.ts';
import { Quarantine } from '../git/quarantine.ts';
import { isCheckedOut, readSource } from '../git/source.ts';
import { type CloneGuest, runInGuest } from './guest.ts';
import { receiveCommit } from './receive.ts';
import type { CloneRecord, InnerClone } from './record.ts';
import { type Review, reviewCommit } from './review.ts';

export interface SubmodulesRequest {
  record: CloneRecord;
  /** Of the commit that was fetched from the repository around them */
  outer: { quarantine: Quarantine; commit: string };
  /** Folder of the clone in the guest */
  target: string;
  limits: PackLimits;
  signal?: AbortSignal | undefined;
}

/** Checked, and not yet in the user's repository */
export interface ReceivedSubmodule extends Review {
  /** Below the top of the clone */
  path: string;
  commit: string;
  /** Of its quarantine, which goes with that of the outer repository */
  from: string;
  commonDir: string;
  tips: string[];
}

// What the outer commit records counts more than what is checked out.
const FIND = `cd -- "$1" 2>/dev/null && test -e .git || exit 0
if [ -n "$2" ] && git cat-file -e "$2^{commit}" 2>/dev/null; then echo recorded
elif git rev-parse --quiet --verify HEAD >/dev/null; then echo HEAD; fi`;

/** Those with new commits. The paths are the host's; nothing of a guest names one. @throws SbxError `workspace`, `guest-failed` */
export async function receiveSubmodules(guest: CloneGuest, request: SubmodulesRequest): Promise<ReceivedSubmodule[]> {
  const received: ReceivedSubmodule[] = [];
  for (const [index, inner] of (request.record.submodules ?? []).entries()) {
    const one = await receiveSubmodule(guest, request, { inner, index });
    if (one !== undefined) received.push(one);
  }
  return received;
}

async function receiveSubmodule(
  guest: CloneGuest,
  { record, outer, target, limits, signal }: SubmodulesRequest,
  { inner: { path, tips, head }, index }: { inner: InnerClone; index: number },
): Promise<ReceivedSubmodule | undefined> {
  // Without a repository of its own, git on the host would take the one around it.
  if (!isCheckedOut(record.top, path)) return undefined;
  const isNew = (id: string) => id !== head && !tips.includes(id);
  const recorded = await recordedCommit(outer, path);
  const wanted = recorded !== undefined && isNew(recorded) ? recorded : '';
  const inGuest = join(target, path);
  const found = await runInGuest(guest, { script: FIND, args: [inGuest, wanted], user: 'agent', signal });
  if (found === '') return undefined;
  const revision = wanted !== '' && found === 'recorded\n' ? wanted : 'HEAD';
  const { commonDir, format } = await readSource(join(record.top, path));
  // Each needs a parent of its own: one that is made removes what it finds there.
  const parent = join(outer.quarantine.dir, 'sbx-submodules', String(index));
  const quarantine = await Quarantine.create({ parent, commonDir, format, limits, signal });
  const commit = await receiveCommit(guest, quarantine, { target: inGuest, revision, tips, signal });
  if (!isNew(commit)) return undefined;
  const review = await reviewCommit(quarantine.dir, commit, { head, tips });
  return { path, commit, from: quarantine.dir, commonDir, tips, ...review };
}

/** What the outer commit says of the submodule; undefined: nothing, also of one in another submodule */
async function recordedCommit({ quarantine, commit }: SubmodulesRequest['outer'], path: string) {
  const tree = await git([
    '-C',
    quarantine.dir,
    '--literal-pathspecs',
    'ls-tree',
    '-z',
    '--full-tree',
    commit,
    '--',
    path,
  ]);
  return /^160000 commit ([0-9a-f]+)\t/.exec(tree)?.[1];
}
