/** A relay between clients of the test and a guest that the test plays. */
import { type Duplex, duplexPair } from 'node:stream';
import { afterEach, beforeEach, expect } from 'vitest';
import { GuestConnection } from '../../../../lib/guest/client/connection.ts';
import { type Asking, relayGuest } from '../../../../lib/guest/client/relay.ts';
import { CHANNEL } from '../../../../lib/guest/protocol/messages.ts';
import { DISCARD, type MuxStream, type StreamEvents } from '../../../../lib/guest/protocol/mux.ts';
import { pipeOf } from '../../../../lib/guest/protocol/pipe.ts';
import { createSession } from '../../../../lib/guest/protocol/server-session.ts';

/** Two ends of which neither outlives the other, as with a socket. */
function socketPair(): [Duplex, Duplex] {
  const [one, other] = duplexPair();
  for (const [end, far] of [
    [one, other],
    [other, one],
  ] as const) {
    end.on('error', () => {});
    end.once('close', () => setImmediate(() => far.destroy()));
  }
  return [one, other];
}

interface Heard {
  service: string;
  body: unknown;
  stream: MuxStream;
  controls: unknown[];
  resets: string[];
}

/** The guest's side, played by the test: `serve` says what a stream's events do. */
export interface Rig {
  guest: GuestConnection;
  /** The guest's own end of the pipe */
  inside: Duplex;
  heard: Heard[];
}

export type Serve = (heard: Heard) => Partial<StreamEvents>;

export async function fakeGuest(serve: Serve): Promise<Rig> {
  const [outside, inside] = socketPair();
  const heard: Heard[] = [];
  const session = createSession(pipeOf(inside), (stream, service, body) => {
    const one: Heard = { service, body, stream, controls: [], resets: [] };
    heard.push(one);
    return {
      ...DISCARD,
      onControl: (message) => void one.controls.push(message),
      onReset: (reason) => void one.resets.push(reason),
      ...serve(one),
    };
  });
  inside.on('data', (chunk: Buffer) => session.push(chunk));
  return { guest: await GuestConnection.connect(outside), inside, heard };
}

export interface Client {
  connection: GuestConnection;
  /** The client's end of its socket */
  end: Duplex;
  relay: Promise<void>;
}

export async function newClient(guest: GuestConnection, asking: Asking = (_service, body) => body): Promise<Client> {
  const [end, far] = socketPair();
  const relay = relayGuest(far, guest, asking);
  return { connection: await GuestConnection.connect(end), end, relay };
}

/** Sends back what it gets, and closes when that ends. */
export const echo: Serve = ({ stream }) => {
  let sent = Promise.resolve();
  return {
    onData(_channel, data, taken) {
      sent = sent.then(() => stream.send(CHANNEL.stdout, data)).then(taken);
    },
    onEnd: () => void sent.then(() => stream.close({ code: 3 })),
  };
};

/** Nothing that was carried may leave anything behind on what carried it. */
export function expectNoWarnings(): void {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => void warnings.push(warning);
  beforeEach(() => void process.on('warning', onWarning));
  afterEach(() => {
    process.off('warning', onWarning);
    expect(warnings.splice(0)).toEqual([]);
  });
}
