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
  const watch = new HelloWatch(host);
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

class HelloWatch {
  /** Nothing more to check: no second hello was requested, or it was checked */
  over = false;
  readonly #host: string;
  #hellos = 0;
  #server = Buffer.alloc(0);
  #buffered = Buffer.alloc(0);
  #message = Buffer.alloc(0);
  #skip = 0;

  constructor(host: string) {
    this.#host = host;
  }

  /** Takes the next client bytes; returns a string if the hello is invalid. */
  client(bytes: Buffer): string | undefined {
    const from = Math.min(this.#skip, bytes.length);
    this.#skip -= from;
    this.#buffered = Buffer.concat([this.#buffered, bytes.subarray(from)]);
    while (!this.over && this.#takeRecord()) {
      const why = this.#message.length > 0 ? this.#takeHello() : undefined;
      if (why !== undefined) return why;
    }
    return undefined;
  }

  /** Takes the next server bytes. */
  server(bytes: Buffer): void {
    if (this.#server.length >= SERVER_HEAD) return;
    this.#server = Buffer.concat([this.#server, bytes]).subarray(0, SERVER_HEAD);
    if (this.#server.length < SERVER_HEAD) return;
    const asks = this.#server[RECORD_HEADER] === SERVER_HELLO && this.#server.subarray(11).equals(RETRY);
    this.over ||= !asks;
  }

  /** Appends the next complete handshake record to the message; skips other records. */
  #takeRecord(): boolean {
    const buffered = this.#buffered;
    if (buffered.length < RECORD_HEADER) return false;
    const end = RECORD_HEADER + buffered.readUInt16BE(3);
    if (buffered[0] !== HANDSHAKE) {
      this.#skip = Math.max(0, end - buffered.length);
      this.#buffered = buffered.subarray(end);
      return true;
    }
    if (buffered.length < end) return false;
    this.#message = Buffer.concat([this.#message, buffered.subarray(RECORD_HEADER, end)]);
    this.#buffered = buffered.subarray(end);
    return true;
  }

  #takeHello(): string | undefined {
    const hello = readClientHello(this.#message);
    if (hello === 'more') return this.#message.length > HELLO_MAX ? 'a second ClientHello without end' : undefined;
    // Encrypted, or another message: no further hello follows.
    if ('other' in hello) this.over = true;
    else if ('bad' in hello) return hello.bad;
    else if (hello.sni === undefined || canonicalHost(hello.sni)?.host !== this.#host)
      return `the second server name is ${hello.sni ?? 'missing'}`;
    else {
      this.#hellos += 1;
      this.#message = this.#message.subarray(hello.bytes);
      this.over ||= this.#hellos > 1;
      return this.#message.length > 0 && !this.over ? this.#takeHello() : undefined;
    }
    return undefined;
  }
}
