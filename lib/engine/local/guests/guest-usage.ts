/** Asks guests what they use. Their word is not trusted: for showing only, and checked. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { GuestConnection } from '../../../guest/client/connection.ts';
import type { GuestUsage } from '../../../guest/protocol/messages.ts';

/** A busy guest is shown without its own figures */
const PATIENCE_MS = 2_000;

/** Each up to 2^53 - 1, so that sums and texts of them are numbers */
const amount = z.int().nonnegative();
const answer = z
  .strictObject({
    cpuMs: amount,
    memoryUsedBytes: amount,
    memoryBytes: amount,
    diskUsedBytes: amount,
    diskBytes: amount,
    processes: amount,
  })
  .refine((found) => found.memoryUsedBytes <= found.memoryBytes && found.diskUsedBytes <= found.diskBytes);

export class GuestUsages {
  readonly #patienceMs: number;
  readonly #asked = new WeakMap<GuestConnection, Promise<GuestUsage | undefined>>();

  constructor(patienceMs = PATIENCE_MS) {
    this.#patienceMs = patienceMs;
  }

  /** Undefined: no answer in time, or none that makes sense. One question at a time: a silent guest gets no second one to store. */
  async of(guest: GuestConnection): Promise<GuestUsage | undefined> {
    const asked = this.#asked.get(guest) ?? this.#ask(guest);
    const done = new AbortController();
    const late = sleep(this.#patienceMs, undefined, { signal: done.signal, ref: false }).catch(() => undefined);
    try {
      return await Promise.race([asked, late]);
    } finally {
      done.abort();
    }
  }

  #ask(guest: GuestConnection): Promise<GuestUsage | undefined> {
    const asked = guest
      .request('usage', {})
      .then(
        (found: unknown) => answer.safeParse(found).data,
        // The connection ended, or it is the guest of an earlier build.
        () => undefined,
      )
      .finally(() => this.#asked.delete(guest));
    this.#asked.set(guest, asked);
    return asked;
  }
}
