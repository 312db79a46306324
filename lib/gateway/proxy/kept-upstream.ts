/** Keeps the upstream connection of an intercepted tunnel between two requests. */
import { type ByteReader, readBytes } from '../http/byte-reader.ts';
import type { ListenerState } from '../request/listener-state.ts';
import type { Connection } from '../upstream/dial.ts';

export interface Upstream {
  connection: Connection;
  upstreamReader: ByteReader;
  /** The addresses that were checked when it was dialled */
  addresses: string[];
  /** Stops the idle watch */
  wake: () => void;
}

/** Holds at most one. */
interface Tunnel {
  upstream: Upstream | undefined;
}

export function keepUpstream(tunnel: Tunnel, connection: Connection): Upstream {
  const addresses = connection.address === undefined ? [] : [connection.address];
  const upstream = { connection, upstreamReader: readBytes(connection.socket), addresses, wake: () => {} };
  tunnel.upstream = upstream;
  return upstream;
}

/** Destroys the idle connection on unsolicited bytes or a policy change, and notices when the server closes it. */
export function watchIdleUpstream(upstream: Upstream, idle: ListenerState['idle']): void {
  const { socket } = upstream.connection;
  const leave = () => void idle.delete(socket);
  const stop = upstream.upstreamReader.readAhead(1, () => socket.destroy());
  idle.add(socket);
  socket.once('close', leave);
  upstream.wake = () => {
    leave();
    socket.off('close', leave);
    stop();
  };
}

/** Returns the idle connection if it is still open and sent nothing. */
export function takeIdleUpstream(tunnel: Tunnel): Upstream | undefined {
  const { upstream } = tunnel;
  if (upstream === undefined) return undefined;
  upstream.wake();
  upstream.wake = () => {};
  if (
    !upstream.connection.socket.destroyed &&
    !upstream.upstreamReader.ended &&
    upstream.upstreamReader.buffered.length === 0
  )
    return upstream;
  dropUpstream(tunnel);
  return undefined;
}

export function dropUpstream(tunnel: Tunnel): void {
  tunnel.upstream?.connection.socket.destroy();
  tunnel.upstream = undefined;
}
