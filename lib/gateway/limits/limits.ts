/** Limits of one VM on the gateway. */
export interface Limits {
  /** Open at the same time */
  connections: number;
  /** Connections whose client has ended, which wait for a late answer and use no slot */
  halfClosed: number;
  /** Such a connection without an answer, in ms; as long as the network forward of QEMU waits */
  halfClosedMs: number;
  /** From the first byte of a head to its end, and for the ClientHello, in ms */
  headMs: number;
  /** Between requests, and before the first byte, in ms */
  keepAliveMs: number;
  /** Without a byte in either direction, in ms */
  idleMs: number;
  /** Bytes buffered from the client of a tunnel before the verdict */
  earlyBytes: number;
  /** Requests per second, each a line of the log; more are delayed */
  requestsPerSecond: number;
  /** Denials per second with their own record; more are summarized once a second */
  denialsPerSecond: number;
  /** Concurrent name lookups; more are queued */
  lookups: number;
  /** Denials per second that get a response inside TLS; beyond, the connection is closed without one */
  explanationsPerSecond: number;
}

export const LIMITS: Limits = {
  connections: 256,
  halfClosed: 512,
  halfClosedMs: 60_000,
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
  /** Waits for a turn; undefined: no wait */
  turn(signal?: AbortSignal): Promise<void> | undefined;
}

/** A token bucket that holds two seconds' worth. */
export function createPace(perSecond: number): Pace {
  const most = perSecond * 2;
  let turns = most;
  let filled = Date.now();
  return {
    turn(signal) {
      const time = Date.now();
      turns = Math.min(most, turns + ((time - filled) / 1_000) * perSecond) - 1;
      filled = time;
      return turns >= 0 ? undefined : wait((-turns / perSecond) * 1_000, signal);
    },
  };
}

export interface Allowance {
  /** False: none is left */
  take(): boolean;
}

/** A token bucket for optional work, which is skipped instead of delayed. */
export function createAllowance(perSecond: number): Allowance {
  let left = perSecond * 2;
  let filled = Date.now();
  return {
    take() {
      const time = Date.now();
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
