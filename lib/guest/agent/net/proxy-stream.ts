/** Proxies an outgoing connection through the gateway with `CONNECT`, so that the gateway alone decides. */
import { connect, type Socket } from 'node:net';

export interface Gateway {
  host: string;
  port: number;
}

/** A connection that the gateway has opened; nothing of it is read before it is joined */
export interface Upstream {
  socket: Socket;
  /** Came with the gateway's answer */
  early: Buffer;
}

const MAX_HEAD_BYTES = 16 * 1024;

/**
 * `authority`: name or address with port. A denial is explained inside the stream, in the program's protocol, since the program knows no proxy.
 * Resolves to undefined if there is nothing to connect with, for example a closed port.
 */
export function openUpstream(authority: string, gateway: Gateway, signal?: AbortSignal): Promise<Upstream | undefined> {
  const socket = connect({ ...gateway, allowHalfOpen: true });
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\nSbx-Explain: inside\r\n\r\n`);
  return new Promise((resolve) => {
    let held = Buffer.alloc(0);
    const fail = () => {
      signal?.removeEventListener('abort', fail);
      socket.destroy();
      resolve(undefined);
    };
    const onData = (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      const end = held.indexOf('\r\n\r\n');
      if (end < 0) return held.length > MAX_HEAD_BYTES ? fail() : undefined;
      if (!/^HTTP\/1\.[01] 200 /.test(held.toString('latin1', 0, 13))) return fail();
      signal?.removeEventListener('abort', fail);
      socket.off('data', onData).off('end', fail).pause();
      resolve({ socket, early: held.subarray(end + 4) });
    };
    socket.on('error', fail).on('data', onData).on('end', fail);
    signal?.addEventListener('abort', fail, { once: true });
  });
}

export function joinUpstream(client: Socket, { socket: upstream, early }: Upstream): void {
  if (upstream.destroyed) return void client.resetAndDestroy();
  client.on('error', () => upstream.destroy());
  client.on('close', () => upstream.destroy());
  if (early.length > 0) client.write(early);
  // A reset upstream resets the client, too: a normal end would look like a complete answer.
  upstream.on('close', (failed) => failed && client.resetAndDestroy());
  client.pipe(upstream);
  upstream.pipe(client);
}
