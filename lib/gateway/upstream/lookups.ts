/** A door looks up a few names at a time: the system's threads are shared by all, and a slow name server holds one for long. */
import PQueue from 'p-queue';
import { within } from '../../system/deadline.ts';
import type { Resolver } from './resolver.ts';

const RESOLVE_MS = 10_000;

export function limitLookups(resolver: Resolver, most: number): Resolver {
  const queue = new PQueue({ concurrency: most });
  return {
    ownAddresses: () => resolver.ownAddresses(),
    async resolve(host, signal) {
      using limit = within(RESOLVE_MS, signal);
      const found = queue.add(() => {
        limit.throwIfAborted();
        return resolver.resolve(host, limit);
      });
      return await Promise.race([found, aborted(limit)]);
    },
  };
}

/** A lookup of the system cannot be cancelled: it is left alone and keeps its place, its late answer is not looked at. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = () => reject(new Error('the name was not resolved in time'));
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
}
