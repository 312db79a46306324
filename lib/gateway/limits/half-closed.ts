/** Keeps connections whose client has ended its side apart: they wait for a late answer, and use no slot. */
import type { Socket } from 'node:net';

export interface HalfClosed {
  /** Open now */
  readonly size: number;
  /** `client`: where the answer is written; `connection`: the socket below it, if it is another one */
  add(client: Socket, connection?: Socket): void;
}

interface HalfClosedOptions {
  /** Kept at the same time; then the one without traffic for the longest time is evicted */
  most: number;
  /** Without a byte to the client until it is evicted, in ms */
  idleMs: number;
  evict(client: Socket): void;
}

interface Waiting {
  written: number;
  since: number;
}

/** A client that ended and one that waits for an answer look the same, so both are kept, for a time. */
export function createHalfClosed({ most, idleMs, evict }: HalfClosedOptions): HalfClosed {
  const waiting = new Map<Socket, Waiting>();
  let timer: NodeJS.Timeout | undefined;
  const leave = (client: Socket) => {
    waiting.delete(client);
    if (waiting.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
  const remove = (client: Socket) => {
    leave(client);
    evict(client);
  };
  const sweep = () => {
    for (const [client, entry] of [...waiting])
      if (!moved(client, entry) && Date.now() - entry.since >= idleMs) remove(client);
  };
  return {
    get size() {
      return waiting.size;
    },
    add(client, connection = client) {
      if (connection.destroyed || waiting.has(client)) return;
      if (waiting.size >= most) remove(longestIdle(waiting));
      waiting.set(client, { written: client.bytesWritten, since: Date.now() });
      connection.once('close', () => leave(client));
      timer ??= setInterval(sweep, idleMs / 4).unref();
    },
  };
}

/** Whether bytes were written since the last call. */
function moved(client: Socket, entry: Waiting): boolean {
  if (client.bytesWritten === entry.written) return false;
  entry.written = client.bytesWritten;
  entry.since = Date.now();
  return true;
}

/** The first without traffic, in the order of the map; those with traffic move to its end. */
function longestIdle(waiting: Map<Socket, Waiting>): Socket {
  const all = [...waiting];
  for (const [client, entry] of all) {
    if (!moved(client, entry)) return client;
    waiting.delete(client);
    waiting.set(client, entry);
  }
  return all[0]?.[0] as Socket;
}
