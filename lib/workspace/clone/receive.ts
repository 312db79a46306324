/** Takes one commit of a sandbox, and what it needs, into a quarantine. */
import { splitAnswer } from '../git/pack-limits.ts';
import type { Quarantine } from '../git/quarantine.ts';
import { type CloneGuest, runInGuest } from './guest.ts';

export interface ReceiveOptions {
  /** Folder of the repository in the guest */
  target: string;
  /** Branch, tag or commit there */
  revision: string;
  /** Objects that the host had when the clone was made */
  tips: string[];
  signal?: AbortSignal | undefined;
}

const SEND = `set -eu
cd -- "$1"
head=$(git rev-parse --quiet --verify "$2^{commit}") || { echo "there is no commit: $2" >&2; exit 1; }
printf '%s\\n' "$head"
{ printf '%s\\n' "$head"; cat; } | git pack-objects -q --revs --thin --stdout`;

/** @returns its id, which is there with everything that it needs. @throws SbxError `workspace`, `guest-failed` */
export async function receiveCommit(
  guest: CloneGuest,
  quarantine: Quarantine,
  { target, revision, tips, signal }: ReceiveOptions,
): Promise<string> {
  let received = '';
  await runInGuest(guest, {
    script: SEND,
    args: [target, revision],
    user: 'agent',
    signal,
    input: tips.map((id) => `^${id}\n`).join(''),
    async onOutput(output) {
      const { commit, pack } = await splitAnswer(output);
      received = commit;
      await quarantine.take(pack);
    },
  });
  await quarantine.mustHold(received, tips);
  return received;
}
