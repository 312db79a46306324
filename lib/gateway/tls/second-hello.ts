/** In TLS 1.3 a server may ask for a second ClientHello, and then goes by its server name: it must be the first one's. */
import type { Socket } from 'node:net';
import { canonicalHost } from '../address/canonical-host.ts';
import { HELLO_MAX, readClientHello } from './client-hello.ts';

const HANDSHAKE = 22;
const SERVER_HELLO = 2;
const RECORD_HEADER = 5;
/** Up to the end of the random value of a ServerHello */
const SERVER_HEAD = 43;
/** That value, when it is no ServerHello but asks for another ClientHello (RFC 8446, 4.1.3) */
const RETRY = Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex');

export interface WatchedTunnel {
  client: Socket;
  upstream: Socket;
  host: string;
  /** Of the client, from the first hello on */
  early: Buffer;
  /** MUST end the tunnel */
  onOther(why: string): void;
}

/** MUST be called before the two are joined: each piece is looked at before it goes on. False: it was ended already. */
export function watchHellos({ client, upstream, host, early, onOther }: WatchedTunnel): boolean {
  const watch = createHelloWatch(host);
  const stop = () => {
    client.off('data', onClient);
    upstream.off('data', onServer);
  };
  const onClient = (bytes: Buffer) => {
    const why = watch.client(bytes);
    if (why !== undefined) onOther(why);
    if (why !== undefined || watch.over) stop();
  };
  const onServer = (bytes: Buffer) => {
    watch.server(bytes);
    if (watch.over) stop();
  };
  const why = watch.client(early);
  if (why !== undefined) {
    onOther(why);
    return false;
  }
  client.on('data', onClient);
  upstream.on('data', onServer);
  return true;
}

export interface HelloWatch {
  /** Nothing more to look at: the server asked for no second one, or it came */
  readonly over: boolean;
  /** The next bytes of the client; a string says what is wrong */
  client(bytes: Buffer): string | undefined;
  /** The next bytes of the server */
  server(bytes: Buffer): void;
}

export function createHelloWatch(host: string): HelloWatch {
  const state = {
    over: false,
    hellos: 0,
    server: Buffer.alloc(0),
    buffered: Buffer.alloc(0),
    message: Buffer.alloc(0),
    skip: 0,
  };
  /** What the records of handshakes hold, once they are whole; others are passed over. */
  const takeRecord = (): boolean => {
    const { buffered } = state;
    if (buffered.length < RECORD_HEADER) return false;
    const end = RECORD_HEADER + buffered.readUInt16BE(3);
    if (buffered[0] !== HANDSHAKE) {
      state.skip = Math.max(0, end - buffered.length);
      state.buffered = buffered.subarray(end);
      return true;
    }
    if (buffered.length < end) return false;
    state.message = Buffer.concat([state.message, buffered.subarray(RECORD_HEADER, end)]);
    state.buffered = buffered.subarray(end);
    return true;
  };
  const takeHello = (): string | undefined => {
    const hello = readClientHello(state.message);
    if (hello === 'more') return state.message.length > HELLO_MAX ? 'a second ClientHello without end' : undefined;
    // Encrypted, or the next message: there is no other hello.
    if ('other' in hello) state.over = true;
    else if ('bad' in hello) return hello.bad;
    else if (hello.sni === undefined || canonicalHost(hello.sni)?.host !== host)
      return `the second server name is ${hello.sni ?? 'missing'}`;
    else {
      state.hellos += 1;
      state.message = state.message.subarray(hello.bytes);
      state.over ||= state.hellos > 1;
      return state.message.length > 0 && !state.over ? takeHello() : undefined;
    }
    return undefined;
  };
  return {
    get over() {
      return state.over;
    },
    client(bytes) {
      const from = Math.min(state.skip, bytes.length);
      state.skip -= from;
      state.buffered = Buffer.concat([state.buffered, bytes.subarray(from)]);
      while (!state.over && takeRecord()) {
        const why = state.message.length > 0 ? takeHello() : undefined;
        if (why !== undefined) return why;
      }
      return undefined;
    },
    server(bytes) {
      if (state.server.length >= SERVER_HEAD) return;
      state.server = Buffer.concat([state.server, bytes]).subarray(0, SERVER_HEAD);
      if (state.server.length < SERVER_HEAD) return;
      const asks = state.server[RECORD_HEADER] === SERVER_HELLO && state.server.subarray(11).equals(RETRY);
      state.over ||= !asks;
    },
  };
}
