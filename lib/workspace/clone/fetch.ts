/** Fetches a sandbox's work: one commit and what it needs, as a pack; a name is never taken from the guest. */

import { SbxError } from '../../errors.ts';
import { PACK_LIMITS, type PackLimits, splitAnswer } from '../git/pack-limits.ts';
import { Quarantine } from '../git/quarantine.ts';
import { readSource } from '../git/source.ts';
import { deliver } from './deliver.ts';
import { type CloneGuest, runInGuest } from './guest.ts';
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
}

const SEND = `set -eu
cd -- "$1"
head=$(git rev-parse --quiet --verify "$2^{commit}") || { echo "there is no commit: $2" >&2; exit 1; }
printf '%s\\n' "$head"
{ printf '%s\\n' "$head"; cat; } | git pack-objects -q --revs --thin --stdout`;

/** @throws SbxError `workspace`, `guest-failed` */
export async function fetchCommits(guest: CloneGuest, options: FetchOptions): Promise<Fetched> {
  const { record, name, parent, limits = PACK_LIMITS, signal, force = false } = options;
  if (record.plain === true) throw hasNoRepository(record, name);
  const { commonDir, format } = await readSource(record.top);
  using quarantine = await Quarantine.create({ parent, commonDir, format, limits, signal });
  const commit = await receive(guest, quarantine, options);
  await quarantine.mustHold(commit, record.tips);
  const review = await reviewCommit(quarantine.dir, commit, record);
  const branch = `sbx/${name}`;
  await deliver({ from: quarantine.dir, commonDir, commit, base: record.tips, branch, force });
  return { branch, commit, ...review };
}

function hasNoRepository({ top }: CloneRecord, name: string): SbxError {
  return new SbxError('workspace', `${top} has no repository to fetch into`, {
    why: 'the clone was made from a folder without git',
    hint: `run \`sbx diff ${name} --patch > work.patch\`, look at it, and run \`git apply work.patch\` in the folder`,
  });
}

async function receive(guest: CloneGuest, quarantine: Quarantine, options: FetchOptions): Promise<string> {
  const { record, revision = 'HEAD', target = record.top, signal } = options;
  let received = '';
  await runInGuest(guest, {
    script: SEND,
    args: [target, revision],
    user: 'agent',
    signal,
    input: record.tips.map((id) => `^${id}\n`).join(''),
    async onOutput(output) {
      const { commit, pack } = await splitAnswer(output);
      received = commit;
      await quarantine.take(pack);
    },
  });
  return received;
}
