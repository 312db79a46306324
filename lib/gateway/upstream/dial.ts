/** Dials checked addresses, directly or through the host's own HTTP proxy. */
import { connect, isIP, type NetConnectOpts, type Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { errnoOf } from '../../errors.ts';
import { connectTo } from '../../system/unix-socket.ts';
import type { DialledService } from '../policy/types.ts';
import { secureUpstream } from '../tls/tls.ts';
import { hostTrust } from '../tls/trust.ts';
import { serviceAddress } from './dial-service.ts';
import { dialThrough } from './proxy-dial.ts';
import { type HostProxy, type ProxyQuestion, type ProxySettings, proxyFor } from './proxy-settings.ts';

/** `host`: canonical, for a proxy of the host, which resolves names itself. */
interface DialTarget extends ProxyQuestion {
  /** Checked, in order of preference; empty if `resolves` returned true */
  addresses: string[];
  /** Dialled instead: never through a proxy of the host */
  service?: Exclude<DialledService, { signer: true } | { mcp: true }> | OwnSocket;
}

/** Made by this process, in a folder of its own */
export interface OwnSocket {
  ownSocket: string;
}

export interface Connection {
  socket: Socket;
  /** The connected one of `addresses`; undefined: chosen by a proxy */
  address: string | undefined;
  /** Set if it leads to a proxy that expects plain requests in absolute form */
  proxy: HostProxy | undefined;
}

export interface Dialer {
  /**
   * Whether a proxy resolves the name of the target: then its address cannot be checked here, and the rule for its name
   * alone decides.
   */
  resolves(target: ProxyQuestion): boolean;
  /** MUST connect to `service` or one of `addresses`, and to nothing else. @throws if none answers */
  dial(target: DialTarget, signal: AbortSignal): Promise<Connection>;
}

const DIAL_MS = 10_000;

/** `trust`: roots for verifying a proxy inside TLS. */
export function createDialer(settings: ProxySettings = {}, trust = hostTrust(process.env)): Dialer {
  return {
    resolves: (target) => proxyFor(settings, target) !== undefined,
    async dial(target, signal) {
      if (target.service !== undefined) return dialService(target.service, signal);
      const proxy = proxyFor(settings, target);
      if (proxy === undefined) return dialAddresses(target, signal);
      const socket = await dialProxy(proxy, { signal, trust });
      if (target.purpose === 'http') return { socket, address: undefined, proxy };
      return { socket: await dialThrough(socket, proxy, target, signal), address: undefined, proxy: undefined };
    },
  };
}

async function dialProxy(
  { host, port, secure }: HostProxy,
  { signal, trust }: { signal: AbortSignal; trust: () => SecureContext },
): Promise<Socket> {
  // Without the error's code: that it is refused says nothing about the target.
  const socket = await dialOne({ host, port }, signal).catch((cause: Error) => {
    // Several addresses that fail have a code, but no message.
    const why = cause.message || errnoOf(cause);
    throw new Error(`the host's proxy ${host}:${port} could not be reached: ${why}`, { cause });
  });
  if (secure !== true) return socket;
  const named = { host, kind: isIP(host) === 0 ? 'name' : 'address' } as const;
  return secureUpstream(socket, { host: named, trust: trust(), verify: true, ms: DIAL_MS });
}

async function dialService(service: NonNullable<DialTarget['service']>, signal: AbortSignal): Promise<Connection> {
  const socket =
    'ownSocket' in service
      ? await connected(connectTo(service.ownSocket), signal)
      : await dialOne(serviceAddress(service), signal);
  return { socket, address: undefined, proxy: undefined };
}

/** Tries the addresses in sequence, sharing the timeout. */
async function dialAddresses({ addresses, port }: DialTarget, signal: AbortSignal): Promise<Connection> {
  let last: unknown = new Error('no address');
  for (const address of addresses) {
    try {
      const socket = await dialOne({ host: address, port }, signal, DIAL_MS / Math.min(addresses.length, 4));
      return { socket, address, proxy: undefined };
    } catch (error) {
      // A closed port says more than a family of addresses that this host does not have.
      if (signal.aborted || errnoOf(last) !== 'ECONNREFUSED') last = error;
      if (signal.aborted) break;
    }
  }
  throw last;
}

function dialOne(to: NetConnectOpts, signal: AbortSignal, ms = DIAL_MS): Promise<Socket> {
  return connected(connect({ ...to, allowHalfOpen: true, noDelay: true, keepAlive: true }), signal, ms);
}

function connected(socket: Socket, signal: AbortSignal, ms = DIAL_MS): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => socket.destroy(new Error('no answer in time')), ms);
    const abort = () => socket.destroy(new Error('cancelled'));
    const settle = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    };
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    socket.once('error', (error) => {
      settle();
      reject(error);
    });
    socket.once('connect', () => {
      settle();
      socket.removeAllListeners('error');
      // Until its user listens, an error only destroys it.
      socket.on('error', () => socket.destroy());
      resolve(socket);
    });
  });
}
