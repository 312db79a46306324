/** Lets a client of the daemon speak to a guest: its streams become streams of the daemon's one connection, with credit end to end. */
import type { Duplex } from 'node:stream';
import type { GuestConnection } from './client.ts';
import { type MuxStream, type StreamEvents, UNHEARD } from './mux.ts';
import { pipeOf } from './pipe.ts';
import { createSession } from './session.ts';

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

/** Resolves when the client has gone; what it started in the guest is ended then. */
export async function relayGuest(client: Duplex, guest: GuestConnection): Promise<void> {
  const session = createSession(pipeOf(client), (down, service, body) => forward(down, guest, service, body));
  client.on('data', (chunk: Buffer) => {
    if (!session.push(chunk)) client.destroy();
  });
  client.on('error', () => {});
  // An upgraded HTTP socket stays half open when its client goes.
  client.on('end', () => client.destroy());
  void guest.closed.then(() => client.destroy());
  await new Promise<void>((resolve) => client.once('close', resolve));
  session.end();
}

function forward(down: MuxStream, guest: GuestConnection, service: string, body: unknown): StreamEvents {
  if (!ALLOWED.has(service)) {
    down.reset(`no such service: ${service}`);
    return UNHEARD;
  }
  const up = guest.openRaw(service, body, bridgeTo(down));
  return bridgeTo(up);
}

function bridgeTo(other: MuxStream): StreamEvents {
  // `end` must not overtake data that still waits for credit.
  const last = new Map<number, Promise<void>>();
  const after = (channel: number, work: () => void) => void (last.get(channel) ?? Promise.resolve()).then(work);
  return {
    onData(channel, data, taken) {
      // The decoder reuses its buffer: what waits for credit is kept.
      const sent = (last.get(channel) ?? Promise.resolve()).then(() => other.send(channel, data)).then(taken);
      last.set(channel, sent);
    },
    onEnd: (channel) => after(channel, () => other.end(channel)),
    onControl: (message) => other.control(message),
    onClose: (result) => void Promise.all(last.values()).then(() => other.close(result)),
    onReset: (reason) => other.reset(reason),
  };
}
