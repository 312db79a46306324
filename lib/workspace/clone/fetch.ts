/** Fetches a sandbox's work: one commit and what it needs, as a pack, and the same of each submodule; a name is never taken from the guest. */

import { SbxError } from '../../errors.ts';
import { PACK_LIMITS, type PackLimits } from '../git/pack-limits.ts';
import { Quarantine } from '../git/quarantine.ts';
import { shownText } from '../git/shown-text.ts';
import { readSource } from '../git/source.ts';
import { deliver } from './deliver.ts';
import { type ReceivedSubmodule, receiveSubmodules } from './fetch-submodules.ts';
import type { CloneGuest } from './guest.ts';
import { receiveCommit } from './receive.ts';
import type { CloneRecord } from './record.ts';
import { type Review, reviewCommit } from './review.ts';

export interface FetchOptions {
  record: CloneRecord;
  /** Becomes `sbx/<name>` on the host */
  name: string;
  /** Branch, tag or commit in the sandbox; default: HEAD */
  revision?: string;
  force?: boolean;
  /** Folder for the quarantine */
  parent: string;
  /** Folder of the clone in the guest; default: as on the host */
  target?: string;
  limits?: PackLimits;
  signal?: AbortSignal | undefined;
}

export interface Fetched extends Review {
  branch: string;
  commit: string;
  /** Commits that came from submodules */
  inner: string[];
}

/** All is checked before the first branch is written; those of submodules come first. @throws SbxError `workspace`, `guest-failed` */
export async function fetchCommits(guest: CloneGuest, options: FetchOptions): Promise<Fetched> {
  const { record, name, parent, limits = PACK_LIMITS, signal, force = false } = options;
  const { revision = 'HEAD', target = record.top } = options;
  if (record.plain === true) throw hasNoRepository(record, name);
  const { commonDir, format } = await readSource(record.top);
  using quarantine = await Quarantine.create({ parent, commonDir, format, limits, signal });
  const commit = await receiveCommit(guest, quarantine, { target, revision, tips: record.tips, signal });
  const outer = { quarantine, commit };
  const inner = await receiveSubmodules(guest, { record, outer, target, limits, signal });
  const { head, tips } = record;
  const review = await reviewCommit(quarantine.dir, commit, {
    head,
    tips,
    brought: new Map(inner.map((one) => [one.path, one.commit])),
  });
  const branch = `sbx/${name}`;
  for (const one of inner) await deliver({ ...one, base: one.tips, branch, force });
  await deliver({ from: quarantine.dir, commonDir, commit, base: tips, branch, force });
  const notes = [...review.notes, ...inner.flatMap((one) => notesOf(one, branch))];
  return { branch, commit, ...review, notes, inner: inner.map((one) => one.commit) };
}

function notesOf({ path, commit, commits, files, notes }: ReceivedSubmodule, branch: string): string[] {
  const name = shownText(path);
  const own = `${name}: ${branch} of the submodule is at ${commit.slice(0, 12)}: commits: ${commits}, files: ${files}`;
  return [own, ...notes.map((note) => `${name}/${note}`)];
}

function hasNoRepository({ top }: CloneRecord, name: string): SbxError {
  return new SbxError('workspace', `${top} has no repository to fetch into`, {
    why: 'the clone was made from a folder without git',
    hint: `run \`sbx diff ${name} --patch > work.patch\`, look at it, and run \`git apply work.patch\` in the folder`,
  });
}
