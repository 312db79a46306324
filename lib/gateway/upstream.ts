/** The way out: names to addresses once, then a connection to a checked address. Tests put others in their place. */
import { lookup } from 'node:dns/promises';
import { connect, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { canonicalAddress } from './host.ts';

export interface Upstream {
  /** All addresses of a canonical name; throws when there are none */
  resolve(host: string): Promise<string[]>;
  /** Connects to one of the addresses; throws when none answers */
  dial(addresses: string[], port: number): Promise<Socket>;
  /** Addresses of this host itself */
  ownAddresses(): string[];
}

const DIAL_MS = 10_000;
const RESOLVE_MS = 10_000;

export function createUpstream(): Upstream {
  return {
    async resolve(host) {
      const found = await Promise.race([
        lookup(host, { all: true, verbatim: true }),
        timeout(RESOLVE_MS, 'the name was not resolved in time'),
      ]);
      return [...new Set(found.map(({ address }) => canonicalAddress(address)))];
    },
    async dial(addresses, port) {
      let last: unknown;
      for (const address of addresses) {
        try {
          return await dialOne(address, port);
        } catch (error) {
          last = error;
        }
      }
      throw last;
    },
    ownAddresses: () =>
      Object.values(networkInterfaces()).flatMap((entries) =>
        (entries ?? []).map(({ address }) => canonicalAddress(address.split('%')[0] ?? address)),
      ),
  };
}

function dialOne(address: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, allowHalfOpen: true, noDelay: true });
    const timer = setTimeout(() => socket.destroy(new Error('no answer in time')), DIAL_MS);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeListener('error', reject);
      resolve(socket);
    });
    socket.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}

async function timeout(ms: number, message: string): Promise<never> {
  const { setTimeout: sleep } = await import('node:timers/promises');
  await sleep(ms, undefined, { ref: false });
  throw new Error(message);
}
