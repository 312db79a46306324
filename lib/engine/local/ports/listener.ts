/** Listens for one port on one or two addresses of the host. */
import { createServer, type Server, type Socket } from 'node:net';
import { errnoOf, SbxError } from '../../../errors.ts';
import type { PortRule } from '../../../state/port-book.ts';

export interface Listener {
  /** The port that is listened on, also where a free one was asked for */
  port: number;
  /** Ends listening; open connections are the caller's */
  close(): void;
}

export interface ListenRequest extends PortRule {
  /** Tried first */
  picked?: number | undefined;
  /** The socket is paused, and half open when its client ends */
  onConnection: (socket: Socket) => void;
}

const LOOPBACK = ['127.0.0.1', '::1'];
/** A free port of the first address may be taken on the second */
const TRIES = 20;

/** @throws SbxError `port-taken`; `usage` when the host does not let us listen there. */
export async function listen(request: ListenRequest): Promise<Listener> {
  const { host, auto, picked } = request;
  const wished = [...(picked === undefined ? [] : [picked]), ...(host === 0 ? [] : [host])];
  let taken: unknown;
  for (const port of wished) {
    try {
      return await listenAll(port, request);
    } catch (error) {
      if (!isTaken(error)) throw error;
      taken = error;
    }
  }
  if (host !== 0 && auto !== true) throw taken;
  for (let tries = 1; ; tries += 1) {
    try {
      return await listenAll(0, request);
    } catch (error) {
      if (!isTaken(error) || tries === TRIES) throw error;
    }
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof SbxError && error.code === 'port-taken';
}

/** All addresses or none. A host without IPv6 has only the first loopback. */
async function listenAll(wished: number, { address, onConnection }: ListenRequest): Promise<Listener> {
  const servers: Server[] = [];
  const close = () => {
    for (const server of servers) server.close();
  };
  let port = wished;
  try {
    for (const host of address === undefined ? LOOPBACK : [address]) {
      const server = await listenOn(host, port, onConnection).catch((error: unknown) => {
        if (servers.length > 0 && ABSENT.has(errnoOf(error) ?? '')) return undefined;
        throw failure(error, host, port);
      });
      if (server === undefined) continue;
      servers.push(server);
      port = (server.address() as { port: number }).port;
    }
  } catch (error) {
    close();
    throw error;
  }
  return { port, close };
}

/** The host has no such address */
const ABSENT = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT']);

function listenOn(host: string, port: number, onConnection: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, onConnection);
    server.once('error', reject);
    server.listen({ host, port }, () => {
      // A host without free descriptors: the next connection is tried again.
      server.off('error', reject).on('error', () => {});
      resolve(server);
    });
  });
}

function failure(error: unknown, address: string, port: number): SbxError {
  const shown = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  const cause = { cause: error };
  if (errnoOf(error) === 'EADDRINUSE')
    return new SbxError('port-taken', `the port ${shown} of this host is taken`, {
      hint: 'end that program, choose another port, or write auto = true (0 as the port for `sbx ports --publish`)',
      ...cause,
    });
  if (errnoOf(error) === 'EACCES')
    return new SbxError('usage', `listening on ${shown} is not permitted`, {
      why: 'an ordinary user may not use the ports below 1024',
      hint: 'choose a port above 1023',
      ...cause,
    });
  return new SbxError('usage', `cannot listen on ${shown}`, {
    why: ABSENT.has(errnoOf(error) ?? '') ? 'this host does not have that address' : String(errnoOf(error) ?? error),
    hint: 'choose an address of this host: `ip address` lists them',
    ...cause,
  });
}
