/** Guests know what time it is: a host that slept, and counters that differ a little, are made up for while they run. */

import type { GuestConnection } from '../../../guest/client/connection.ts';
import { orAbort, within } from '../../../system/deadline.ts';

export interface ClockWatch {
  /** Resolves when every one was asked. What does not answer is asked again at the next look */
  look(guests: Pick<GuestConnection, 'request'>[]): Promise<void>;
}

/** A clock may differ by so much, besides what the question took */
const TOLERATED_MS = 250;
const ANSWER_MS = 5_000;

/** `now`: of the host, ms. */
export function createClockWatch(now: () => number = Date.now): ClockWatch {
  const asked = new WeakSet<object>();
  const look = async (guest: Pick<GuestConnection, 'request'>) => {
    // One question at a time: a slow guest is not asked twice.
    if (asked.has(guest)) return;
    asked.add(guest);
    try {
      using limit = within(ANSWER_MS);
      const from = now();
      const { nowMs } = await orAbort(guest.request('clock', {}), limit);
      const to = now();
      const behindMs = (from + to) / 2 - nowMs;
      // It may have looked at its clock at any moment of the question.
      if (Math.abs(behindMs) <= TOLERATED_MS + (to - from) / 2) return;
      await orAbort(guest.request('clock', { forwardMs: Math.round(behindMs) }), limit);
    } finally {
      asked.delete(guest);
    }
  };
  return {
    async look(guests) {
      await Promise.allSettled(guests.map(look));
    },
  };
}
