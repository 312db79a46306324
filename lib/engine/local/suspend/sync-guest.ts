/** Writes what a guest holds in memory for its disk: a memory that cannot be loaded later takes nothing of the disk with it. */
import type { GuestConnection } from '../../../guest/client/connection.ts';
import { orAbort, within } from '../../../system/deadline.ts';

/** A disk that takes longer is written by the guest when it continues */
const SYNC_MS = 10_000;

/** @throws only the reason of `signal` */
export async function syncGuest(guest: Pick<GuestConnection, 'exec'>, signal: AbortSignal): Promise<void> {
  using limit = within(SYNC_MS, signal);
  const sync = guest.exec({ argv: ['/opt/sbx/bin/busybox', 'sync'], cwd: '/', stdin: false });
  sync.stdout.resume();
  sync.stderr.resume();
  await orAbort(sync.exit, limit).catch(() => {});
  signal.throwIfAborted();
}
