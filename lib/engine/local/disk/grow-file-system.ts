/** Grows the file system of a running guest to the size of its disk. */
import { SbxError } from '../../../errors.ts';
import type { GuestConnection } from '../../../guest/client/connection.ts';
import { guestScript } from '../guests/guest-script.ts';
import GROW_ROOT from './grow-root.sh';

/** Some seconds for the largest disks; a host under load takes several times as long */
const GROW_MS = 120_000;

export interface FileSystemGrowth {
  /** The sandbox */
  name: string;
  /** Size of the disk */
  bytes: number;
  signal: AbortSignal;
}

/** Only what the guest says of itself is at stake: its root can prevent it. @throws SbxError `guest-failed` */
export async function growFileSystem(
  guest: Pick<GuestConnection, 'exec'>,
  { name, bytes, signal }: FileSystemGrowth,
): Promise<void> {
  const argv = ['sh', '-c', GROW_ROOT, 'grow-root', String(bytes)];
  const failed = await guestScript(guest, { argv, timeoutMs: GROW_MS, signal });
  if (failed !== undefined) throw notGrown(name, failed);
}

function notGrown(name: string, why: string | undefined): SbxError {
  return new SbxError('guest-failed', `the disk of ${name} is larger now, but not its file system`, {
    ...(why ? { why } : {}),
    hint: `run \`sbx restart ${name}\`, which grows it as it boots, then \`sbx apply\``,
  });
}
