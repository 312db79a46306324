/** What one VM may take of the gateway. */
export interface Limits {
  /** Open at the same time */
  connections: number;
  /** From the first byte of a head to its end, and for the ClientHello: milliseconds */
  headMs: number;
  /** Between requests, and before the first byte: milliseconds */
  keepAliveMs: number;
  /** Without a byte in either direction: milliseconds */
  idleMs: number;
  /** Bytes taken from the client of a tunnel before the verdict */
  earlyBytes: number;
  /** Requests a second, each a line of the log; what is above waits */
  requestsPerSecond: number;
  /** Denials a second with a record each; what is above is counted, and one record a second stands for it */
  denialsPerSecond: number;
  /** Names that are looked up at the same time; what is above waits */
  lookups: number;
  /** Denials a second that are explained inside TLS; above, the connection ends without a word */
  explanationsPerSecond: number;
}

export const LIMITS: Limits = {
  connections: 256,
  headMs: 15_000,
  keepAliveMs: 60_000,
  idleMs: 3_600_000,
  earlyBytes: 64 * 1024,
  requestsPerSecond: 200,
  denialsPerSecond: 100,
  lookups: 4,
  explanationsPerSecond: 5,
};

export interface Pace {
  /** Undefined: at once */
  turn(signal?: AbortSignal): Promise<void> | undefined;
}

/** A bucket that holds the turns of two seconds and fills evenly. */
export function createPace(perSecond: number, now: () => number = Date.now): Pace {
  const most = perSecond * 2;
  let turns = most;
  let filled = now();
  return {
    turn(signal) {
      const time = now();
      turns = Math.min(most, turns + ((time - filled) / 1_000) * perSecond) - 1;
      filled = time;
      return turns >= 0 ? undefined : wait((-turns / perSecond) * 1_000, signal);
    },
  };
}

export interface Allowance {
  /** False: there is none left now */
  take(): boolean;
}

/** As a pace, for what may as well be left undone. */
export function createAllowance(perSecond: number, now: () => number = Date.now): Allowance {
  let left = perSecond * 2;
  let filled = now();
  return {
    take() {
      const time = now();
      left = Math.min(perSecond * 2, left + ((time - filled) / 1_000) * perSecond);
      filled = time;
      if (left < 1) return false;
      left -= 1;
      return true;
    },
  };
}

function wait(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    }
    if (signal?.aborted) done();
    else signal?.addEventListener('abort', done, { once: true });
  });
}
