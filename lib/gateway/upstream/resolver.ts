/** Resolves names, a limited number at a time, and lists the addresses of this host. */

import { lookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import PQueue from 'p-queue';
import { within } from '../../system/deadline.ts';
import { canonicalAddress } from '../address/canonical-host.ts';

export interface Resolver {
  /** All canonical addresses of a canonical name. MUST query once and settle when the query ends. @throws if there are none */
  resolve(host: string, signal: AbortSignal): Promise<string[]>;
  /** Canonical addresses of this host */
  ownAddresses(): string[];
}

/** Lifetime of the cached host addresses */
const OWN_MS = 1_000;

/** Resolves as the host does: hosts file, name servers. */
export function systemResolver(): Resolver {
  return {
    async resolve(host, signal) {
      signal.throwIfAborted();
      const found = await lookup(host, { all: true, verbatim: true });
      return [...new Set(found.map(({ address }) => canonicalAddress(address)))];
    },
    ownAddresses: kept(hostAddresses, OWN_MS),
  };
}

function hostAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .map(({ address }) => canonicalAddress(address.split('%')[0] ?? address));
}

/** Caches for `ms`: the system call takes as long as the rest of a request. */
function kept<T>(read: () => T, ms: number): () => T {
  let found: { value: T; until: number } | undefined;
  return () => {
    if (found === undefined || performance.now() >= found.until)
      found = { value: read(), until: performance.now() + ms };
    return found.value;
  };
}

const RESOLVE_MS = 10_000;

/** Limits concurrent lookups per listener: a slow name server blocks threads that all sandboxes share. */
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
