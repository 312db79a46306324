/** Names to addresses, and the addresses of this host. Tests put others in their place. */
import { lookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { canonicalAddress } from '../address/canonical-host.ts';

export interface Resolver {
  /** All canonical addresses of a canonical name that is no address. MUST ask once, and settle when the asking is over; throws when there are none. */
  resolve(host: string, signal: AbortSignal): Promise<string[]>;
  /** Canonical addresses of this host */
  ownAddresses(): string[];
}

/** A new address of this host is known after so long */
const OWN_MS = 1_000;

/** As the host resolves: its hosts file, its name servers. */
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

/** Asking the system takes as long as all the rest of a request. */
function kept<T>(read: () => T, ms: number): () => T {
  let found: { value: T; until: number } | undefined;
  return () => {
    if (found === undefined || performance.now() >= found.until)
      found = { value: read(), until: performance.now() + ms };
    return found.value;
  };
}
