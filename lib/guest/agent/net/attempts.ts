/** Opens the upstream of a connection before the connection is accepted: a program sees a closed port as one, and connects only to what answers. */
import type { Upstream } from './proxy-stream.ts';

type Open = (signal: AbortSignal) => Promise<Upstream | undefined>;

type Answer = 'accept' | 'refuse';

export interface Attempts {
  /** Resolves to the answer for the program; undefined: it gave up meanwhile. Called again for the same key, it gives the same answer. */
  decide(key: string, open: Open): Promise<Answer | undefined>;
  /** Its program gave up: what `open` waits for is cancelled. */
  forget(key: string): void;
  /** The upstream of a connection that was accepted; undefined: there is none */
  take(key: string): Upstream | undefined;
}

/** A program that gave up is never accepted. */
const UNCLAIMED_MS = 10_000;

export function createAttempts(unclaimedMs = UNCLAIMED_MS): Attempts {
  const ready = new Map<string, { upstream: Upstream; timer: NodeJS.Timeout }>();
  const opening = new Map<string, { answer: Promise<Answer | undefined>; abort: AbortController }>();
  const take = (key: string) => {
    const found = ready.get(key);
    if (found === undefined) return undefined;
    clearTimeout(found.timer);
    ready.delete(key);
    return found.upstream;
  };
  const start = async (key: string, open: Open, signal: AbortSignal) => {
    const upstream = await open(signal);
    // The key may be another attempt's by now.
    if (signal.aborted) return void upstream?.socket.destroy();
    opening.delete(key);
    if (upstream === undefined) return 'refuse';
    ready.set(key, { upstream, timer: setTimeout(() => take(key)?.socket.destroy(), unclaimedMs) });
    return 'accept';
  };
  return {
    take,
    async decide(key, open) {
      if (ready.has(key)) return 'accept';
      const known = opening.get(key);
      if (known !== undefined) return known.answer;
      const abort = new AbortController();
      const answer = start(key, open, abort.signal);
      opening.set(key, { answer, abort });
      return answer;
    },
    forget(key) {
      opening.get(key)?.abort.abort();
      opening.delete(key);
    },
  };
}
