/** Tells a guest that was suspended what time it is, and gives its kernel new random bytes. */
import { randomBytes } from 'node:crypto';
import type { GuestConnection } from '../../../guest/client/connection.ts';
import { orAbort, within } from '../../../system/deadline.ts';

const ANSWER_MS = 30_000;
const ENTROPY_BYTES = 64;

/** The random bytes come first, as for a new identity. */
export async function wakeGuest(guest: Pick<GuestConnection, 'request'>, signal: AbortSignal): Promise<void> {
  using limit = within(ANSWER_MS, signal);
  const entropy = randomBytes(ENTROPY_BYTES).toString('base64');
  const { nowMs } = await orAbort(guest.request('clock', { entropy }), limit);
  await orAbort(guest.request('clock', { forwardMs: Date.now() - nowMs }), limit);
}
