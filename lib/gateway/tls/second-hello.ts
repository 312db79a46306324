/** Checks that a second ClientHello, which a TLS 1.3 server may request and then uses, repeats the first server name. */
import type { Socket } from 'node:net';
import { canonicalHost } from '../address/canonical-host.ts';
import { HELLO_MAX, readClientHello } from './client-hello.ts';

const HANDSHAKE = 22;
const SERVER_HELLO = 2;
const RECORD_HEADER = 5;
/** Bytes up to the end of the random value of a ServerHello */
const SERVER_HEAD = 43;
/** Random value of a HelloRetryRequest (RFC 8446, 4.1.3) */
const RETRY = Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex');

export interface WatchedTunnel {
  client: Socket;
  upstream: Socket;
  host: string;
  /** Client bytes, from the first hello on */
  early: Buffer;
  /** MUST end the tunnel */
  onOther(why: string): void;
}

/** MUST be called before the sockets are piped, so that each piece is checked before it is forwarded. False: the tunnel was ended. */
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
  /** Nothing more to check: no second hello was requested, or it was checked */
  readonly over: boolean;
  /** Takes the next client bytes; returns a string if the hello is invalid */
  client(bytes: Buffer): string | undefined;
  /** Takes the next server bytes */
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
  /** Appends the next complete handshake record to `message`; skips other records. */
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
    // Encrypted, or another message: no further hello follows.
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
