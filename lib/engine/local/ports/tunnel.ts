/** Joins a connection to a listened port with a TCP connection inside the guest. The ends of both directions are kept apart. */
import type { Socket } from 'node:net';
import type { GuestConnection } from '../../../guest/client/connection.ts';
import { CHANNEL } from '../../../guest/protocol/messages.ts';
import { DISCARD, type MuxStream, type StreamEvents } from '../../../guest/protocol/mux.ts';

export interface TunnelOptions {
  /** Port of a service inside */
  port: number;
  /** How long the guest may take to end its side after the client has gone, in ms */
  lingerMs?: number;
}

const LINGER_MS = 10_000;

/** Resolves when both sides are gone. A service that refuses, or a guest that goes away, resets the client. MUST be called with a paused socket. */
export function tunnel(
  client: Socket,
  guest: GuestConnection,
  { port, lingerMs = LINGER_MS }: TunnelOptions,
): Promise<void> {
  return new Promise((resolve) => {
    const ended = { client: client.closed, guest: false, clean: false };
    let linger: NodeJS.Timeout | undefined;
    const settle = () => {
      if (!ended.client || !ended.guest) return;
      clearTimeout(linger);
      resolve();
    };
    const onGuestEnded = () => {
      ended.guest = true;
      settle();
    };
    let sent = () => Promise.resolve();
    const stream = guest.openRaw('connect', { host: 'localhost', port }, eventsFor(client, onGuestEnded));
    const giveUp = () => {
      stream.reset('the client disconnected');
      onGuestEnded();
    };
    const onClosed = () => {
      ended.client = true;
      // What was sent may still be on its way into the service.
      if (ended.clean && client.writableFinished && !ended.guest)
        void sent().then(() => {
          if (!ended.guest) linger = setTimeout(giveUp, lingerMs).unref();
        });
      else if (!ended.guest) giveUp();
      settle();
    };
    if (client.closed) return onClosed();
    sent = forward(client, stream, () => {
      ended.clean = true;
    });
    client.once('close', onClosed);
    client.resume();
  });
}

/** @returns a function that waits for what was read. The end is said also while the client is paused, so it waits, too. */
function forward(client: Socket, stream: MuxStream, onEnd: () => void): () => Promise<void> {
  let sent = Promise.resolve();
  client.on('data', (data) => {
    client.pause();
    sent = stream.send(CHANNEL.stdin, data).then(() => void client.resume());
  });
  client.on('end', () => {
    onEnd();
    void sent.then(() => stream.end(CHANNEL.stdin));
  });
  return () => sent;
}

/** A guest may send anything: only stdout counts, and only until it has ended. */
function eventsFor(client: Socket, onEnded: () => void): StreamEvents {
  return {
    ...DISCARD,
    onData(channel, data, taken) {
      if (channel !== CHANNEL.stdout || client.destroyed || client.writableEnded) taken();
      else client.write(data, () => taken());
    },
    onEnd(channel) {
      if (channel === CHANNEL.stdout) client.end();
    },
    onClose(result) {
      const failed = typeof result !== 'object' || result === null || 'error' in result;
      if (failed) client.resetAndDestroy();
      else client.destroySoon();
      onEnded();
    },
    onReset() {
      client.resetAndDestroy();
      onEnded();
    },
  };
}
