/** The beginning of a connection to an agent: dialled, greeted with a nonce, and a mux once it has answered. */
import { connect as netConnect } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from '../errors.ts';
import { lost } from './client-streams.ts';
import { Mux, type MuxStream, type StreamEvents, UNHEARD } from './mux.ts';
import { pipeOf } from './pipe.ts';
import { Decoder, hello, resyncPadding, TYPE } from './wire.ts';

export interface ConnectOptions {
  /** Nobody has spoken to this guest since its VM started: nothing of a dead session can be in the pipe */
  fresh?: boolean;
  /** Waiting for the guest ends with it; required in practice, since a guest may never answer */
  signal?: AbortSignal;
}

export interface Greeted {
  mux: Mux;
  /** Resolves when the connection has ended, by whichever side */
  closed: Promise<void>;
}

const NONCE_BYTES = 16;
const RETRY_MS = 5;
/** Bytes waiting for a guest that does not read, after which it is given up */
const MOST_UNREAD = 32 * 1024 ** 2;

/** Tried again until something listens there. */
export async function dial(path: string, signal: AbortSignal | undefined): Promise<Duplex> {
  for (;;) {
    signal?.throwIfAborted();
    const socket = netConnect(path);
    const outcome = await new Promise<'open' | Error>((resolve) => {
      socket.once('connect', () => resolve('open'));
      socket.once('error', resolve);
    });
    if (outcome === 'open') return socket;
    const code = errnoOf(outcome);
    if (signal === undefined || (code !== 'ENOENT' && code !== 'ECONNREFUSED' && code !== 'EAGAIN')) throw outcome;
    await sleep(RETRY_MS);
  }
}

export function handshake(duplex: Duplex, options: ConnectOptions): Promise<Greeted> {
  return new Promise((resolve, reject) => {
    const nonce = newNonce();
    let mux: Mux | undefined;
    const closed = new Promise<void>((done) => duplex.once('close', done));
    const onAbort = () => reject(options.signal?.reason);
    options.signal?.addEventListener('abort', onAbort, { once: true });
    duplex.on('error', () => {});
    duplex.once('close', () => {
      mux?.abandon('the connection to the sandbox ended');
      reject(lost('the connection ended before the agent answered'));
    });
    const greet = () => {
      options.signal?.removeEventListener('abort', onAbort);
      mux = new Mux(pipeOf(duplex), refuse);
      resolve({ mux, closed });
    };
    read(duplex, nonce, greet, () => mux);
    duplex.resume();
    if (options.signal?.aborted) return onAbort();
    if (options.fresh !== true) duplex.write(resyncPadding());
    duplex.write(hello(nonce));
  });
}

function read(duplex: Duplex, nonce: Buffer, greet: () => void, muxNow: () => Mux | undefined): void {
  const decoder = new Decoder();
  duplex.on('data', (chunk: Buffer) => {
    for (const frame of decoder.push(chunk)) {
      if (frame.type === TYPE.hello && frame.payload.equals(nonce)) {
        greet();
        continue;
      }
      try {
        muxNow()?.take(frame);
        if (duplex.writableLength > MOST_UNREAD) throw new Error('it does not read');
      } catch {
        // A guest may send anything: it loses its connection, and nobody else is harmed.
        duplex.destroy();
        return;
      }
    }
  });
}

/** Unlike that of any session before, which is all it is for: loading a generator takes every command some milliseconds. */
function newNonce(): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeBigUInt64LE(process.hrtime.bigint(), 0);
  nonce.writeUInt32LE(process.pid, 8);
  nonce.writeUInt32LE(Math.floor(Math.random() * 2 ** 32), 12);
  return nonce;
}

/** A guest opens no streams to the host. */
function refuse(stream: MuxStream): StreamEvents {
  stream.reset('the host serves nothing');
  return UNHEARD;
}
