/** Limits the bandwidth of all connections of a VM together; the limit may change at any time. */

import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';

export interface Meter {
  /** Accounts for bytes that passed; resolves when the next ones may pass. Undefined: no wait. */
  spend(bytes: number): Promise<void> | undefined;
  /** Bytes per second; undefined: no limit. Applies to waiting callers, too. */
  limit(bytesPerSecond: number | undefined): void;
}

/** Maximum burst after an idle time */
const BURST_MS = 100;
/** Interval at which waiting callers check the limit again */
const LOOK_MS = 500;

export function createMeter(bytesPerSecond?: number): Meter {
  let rate = bytesPerSecond;
  /** Time at which the bytes so far are within the limit */
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

/** Both directions of a VM, each with the whole limit */
export interface Meters {
  up: Meter;
  down: Meter;
}

/** Pipes the sockets and pauses as the meter requires; without a limit it costs one call per chunk. */
export function pipeMetered(source: Socket, target: Writable, meter: Meter): void {
  source.pipe(target);
  source.on('data', (chunk: Buffer) => {
    const wait = meter.spend(chunk.length);
    if (wait === undefined) return;
    source.unpipe(target);
    void wait.then(() => void (target.destroyed || source.pipe(target)));
  });
}
