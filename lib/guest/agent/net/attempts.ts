/** Opens the upstream of a connection before the connection is accepted: a program sees a closed port as one, and connects only to what answers. */
import type { Upstream } from './proxy-stream.ts';

export interface Attempts {
  /** Resolves to the answer for the program. Called again for the same key, it gives the same answer. */
  decide(key: string, open: () => Promise<Upstream | undefined>): Promise<'accept' | 'refuse'>;
  /** The upstream of a connection that was accepted; undefined: there is none */
  take(key: string): Upstream | undefined;
}

/** A program that gave up is never accepted. */
const UNCLAIMED_MS = 10_000;

export function createAttempts(unclaimedMs = UNCLAIMED_MS): Attempts {
  const ready = new Map<string, { upstream: Upstream; timer: NodeJS.Timeout }>();
  const opening = new Map<string, Promise<'accept' | 'refuse'>>();
  const take = (key: string) => {
    const found = ready.get(key);
    if (found === undefined) return undefined;
    clearTimeout(found.timer);
    ready.delete(key);
    return found.upstream;
  };
  const start = async (key: string, open: () => Promise<Upstream | undefined>) => {
    const upstream = await open();
    opening.delete(key);
    if (upstream === undefined) return 'refuse';
    ready.set(key, { upstream, timer: setTimeout(() => take(key)?.socket.destroy(), unclaimedMs) });
    return 'accept';
  };
  return {
    take,
    async decide(key, open) {
      if (ready.has(key)) return 'accept';
      const answer = opening.get(key) ?? start(key, open);
      opening.set(key, answer);
      return answer;
    },
  };
}
