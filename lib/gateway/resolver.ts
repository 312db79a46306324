/** Names to addresses, and the addresses of this host. Tests put others in their place. */
import { lookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { canonicalAddress } from './canonical-host.ts';

export interface Resolver {
  /** All canonical addresses of a canonical name that is no address. MUST ask once; throws when there are none. */
  resolve(host: string, signal: AbortSignal): Promise<string[]>;
  /** Canonical addresses of this host */
  ownAddresses(): string[];
}

const RESOLVE_MS = 10_000;
/** A new address of this host is known after so long */
const OWN_MS = 1_000;

/** As the host resolves: its hosts file, its name servers. */
export function systemResolver(): Resolver {
  return {
    async resolve(host, signal) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(RESOLVE_MS)]);
      const found = await Promise.race([lookup(host, { all: true, verbatim: true }), aborted(limit)]);
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

/** Asking the system takes as long as all the rest of a request. */
function kept<T>(read: () => T, ms: number): () => T {
  let found: { value: T; until: number } | undefined;
  return () => {
    if (found === undefined || performance.now() >= found.until)
      found = { value: read(), until: performance.now() + ms };
    return found.value;
  };
}

/** `lookup` cannot be cancelled: it is left alone, its late answer is not looked at. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = () => reject(new Error('the name was not resolved in time'));
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
}
