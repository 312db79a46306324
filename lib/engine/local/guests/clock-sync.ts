/** Corrects the clocks of running guests: after the host slept, and where counters drift. */
import type { GuestConnection } from '../../../guest/client/connection.ts';
import { orAbort, within } from '../../../system/deadline.ts';

export interface ClockWatch {
  /** Resolves when every guest was asked. A guest that does not answer is asked again by the next check */
  check(guests: Pick<GuestConnection, 'request'>[]): Promise<void>;
}

/** Tolerated difference, besides the duration of the request */
const TOLERATED_MS = 250;
const ANSWER_MS = 5_000;

/** `now`: the host's clock, ms. */
export function createClockWatch(now: () => number = Date.now): ClockWatch {
  const asked = new WeakSet<object>();
  const checkOne = async (guest: Pick<GuestConnection, 'request'>) => {
    // One request at a time: a slow guest is not asked twice.
    if (asked.has(guest)) return;
    asked.add(guest);
    try {
      using limit = within(ANSWER_MS);
      const from = now();
      const { nowMs } = await orAbort(guest.request('clock', {}), limit);
      const to = now();
      const behindMs = (from + to) / 2 - nowMs;
      // The guest may have read its clock at any moment of the request.
      if (Math.abs(behindMs) <= TOLERATED_MS + (to - from) / 2) return;
      await orAbort(guest.request('clock', { forwardMs: Math.round(behindMs) }), limit);
    } finally {
      asked.delete(guest);
    }
  };
  return {
    async check(guests) {
      await Promise.allSettled(guests.map(checkOne));
    },
  };
}
