/** Puts the files that an image has in kept folders into them: once for each disk. */
import { SbxError } from '../../../errors.ts';
import type { GuestConnection } from '../../../guest/client/connection.ts';
import type { InstanceRecord } from '../../../state/records.ts';
import { guestScript } from '../guests/guest-script.ts';
import FILL_KEPT from './fill-kept.sh';
import { AGENT_HOME } from './kept.ts';

const FILL_MS = 120_000;

/** Those that were not filled since the disk was made. Pure. */
export function foldersToFill(keep: string[], generation: number, filled: InstanceRecord['filledKept']): string[] {
  return keep.filter((folder) => filled?.generation !== generation || !filled.folders.includes(folder));
}

/** @throws SbxError `guest-failed` */
export async function fillKept(
  guest: Pick<GuestConnection, 'exec'>,
  folders: string[],
  signal: AbortSignal,
): Promise<void> {
  const argv = ['sh', '-c', FILL_KEPT, 'fill-kept', AGENT_HOME, ...folders];
  const failed = await guestScript(guest, { argv, timeoutMs: FILL_MS, signal });
  if (failed !== undefined) throw notFilled(failed);
}

function notFilled(why: string): SbxError {
  return new SbxError('guest-failed', 'the folders of [agent] keep could not be prepared', {
    ...(why ? { why } : {}),
    hint: 'look into the folder with `sbx inspect`; `sbx rm --kept` removes what was kept',
  });
}
