/** How fast bytes may pass, for all connections of a VM allOrAbort. The limit may change while they wait. */

import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';

export interface Meter {
  /** For bytes that passed: resolves when the next ones may. Undefined: at once. */
  spend(bytes: number): Promise<void> | undefined;
  /** Bytes a second; undefined: no limit. Who waits goes on by the new one. */
  limit(bytesPerSecond: number | undefined): void;
}

/** Saved up while nothing passes */
const BURST_MS = 100;
/** After this long the limit is looked at again */
const LOOK_MS = 500;

export function createMeter(bytesPerSecond?: number): Meter {
  let rate = bytesPerSecond;
  /** When all that passed so far is paid for */
  let paid = 0;
  const waitFor = async (mine: number) => {
    for (;;) {
      const wait = Math.min(mine, paid) - performance.now();
      if (wait <= 0) return;
      await new Promise((resolve) => setTimeout(resolve, Math.min(wait, LOOK_MS)));
    }
  };
  return {
    spend(bytes) {
      if (rate === undefined) return undefined;
      const now = performance.now();
      paid = Math.max(paid, now - BURST_MS) + (bytes / rate) * 1_000;
      return paid <= now ? undefined : waitFor(paid);
    },
    limit(next) {
      if (next === rate) return;
      rate = next;
      paid = 0;
    },
  };
}

/** Both ways of a VM, each with the whole limit */
export interface Meters {
  up: Meter;
  down: Meter;
}

/** The sockets' own pipe, held up where the meter says so: without a limit it costs one call a chunk. */
export function pipeMetered(source: Socket, target: Writable, meter: Meter): void {
  source.pipe(target);
  source.on('data', (chunk: Buffer) => {
    const wait = meter.spend(chunk.length);
    if (wait === undefined) return;
    source.unpipe(target);
    void wait.then(() => void (target.destroyed || source.pipe(target)));
  });
}
