/** Limits concurrent lookups per listener: a slow name server blocks threads that all sandboxes share. */
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

/** A system lookup cannot be cancelled: it keeps its slot, and its late result is ignored. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = () => reject(new Error('the name was not resolved in time'));
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
}
