/** Relays a client of the daemon to a guest: its streams become streams of the daemon's one connection, with credit end to end. */
import type { Duplex } from 'node:stream';
import { DISCARD, type MuxStream, type StreamEvents } from '../protocol/mux.ts';
import { pipeOf } from '../protocol/pipe.ts';
import { createSession } from '../protocol/server-session.ts';
import type { GuestConnection } from './connection.ts';

/** Services a client may use; the others are the daemon's own. */
const ALLOWED: ReadonlySet<string> = new Set([
  'exec',
  'put',
  'get',
  'connect',
  'ping',
  'session',
  'session-log',
  'session-end',
  'sessions',
]);

/** Rewrites a client's request before it is sent to the guest. */
export type Asking = (service: string, body: unknown) => unknown;

/** Resolves when the client has disconnected; the commands that it started in the guest are then ended. */
export async function relayGuest(client: Duplex, guest: GuestConnection, asking: Asking): Promise<void> {
  const session = createSession(pipeOf(client), (down, service, body) => {
    if (ALLOWED.has(service)) return bridgeTo(guest.openRaw(service, asking(service, body), bridgeTo(down)));
    down.reset(`no such service: ${service}`);
    return DISCARD;
  });
  client.on('data', (chunk: Buffer) => {
    if (!session.push(chunk)) client.destroy();
  });
  client.on('error', () => {});
  // An upgraded HTTP socket stays half open when its client disconnects.
  client.on('end', () => client.destroy());
  const forget = guest.whenClosed(() => client.destroy());
  // It may have disconnected while the guest was being connected.
  if (!client.closed) await new Promise<void>((resolve) => client.once('close', resolve));
  forget();
  session.end();
}

function bridgeTo(other: MuxStream): StreamEvents {
  // `end` must not overtake data that still waits for credit.
  const last = new Map<number, Promise<void>>();
  const after = (channel: number, work: () => void) => void (last.get(channel) ?? Promise.resolve()).then(work);
  return {
    onData(channel, data, taken) {
      const sent = (last.get(channel) ?? Promise.resolve()).then(() => other.send(channel, data)).then(taken);
      last.set(channel, sent);
    },
    onEnd: (channel) => after(channel, () => other.end(channel)),
    onControl: (message) => other.control(message),
    onClose: (result) => void Promise.all(last.values()).then(() => other.close(result)),
    onReset: (reason) => other.reset(reason),
  };
}
