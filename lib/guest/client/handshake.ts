/** Opens a connection to a guest agent: dials it, sends a HELLO with a nonce and starts the mux. */
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from '../../errors.ts';
import { connectTo } from '../../system/unix-socket.ts';
import { DISCARD, Mux, type MuxStream, type StreamEvents } from '../protocol/mux.ts';
import { pipeOf } from '../protocol/pipe.ts';
import { Decoder, hello, NONCE_BYTES, resyncPadding, TYPE } from '../protocol/wire.ts';
import { lost } from './client-streams.ts';

export interface ConnectOptions {
  /** No client has connected since the VM started: the pipe holds no leftover of a dead session */
  fresh?: boolean;
  /** Ends the wait for the guest; required in practice, since a guest may never answer */
  signal?: AbortSignal;
}

export interface Greeting {
  /** Requests sent before the agent has answered arrive with the greeting */
  mux: Mux;
  /** Resolves when the agent has answered; rejects when the connection ended before, or `signal` did */
  answered: Promise<void>;
  /** Resolves when the connection has ended, on either side */
  closed: Promise<void>;
}

const RETRY_MS = 5;
/** Most bytes queued for a guest that does not read; more close the connection */
const MAX_UNREAD = 32 * 1024 ** 2;

/** Retries until a process listens there. */
export async function dial(path: string, signal: AbortSignal | undefined): Promise<Duplex> {
  for (;;) {
    signal?.throwIfAborted();
    const outcome = await attempt(path);
    if (!(outcome instanceof Error)) return outcome;
    const code = errnoOf(outcome);
    if (signal === undefined || (code !== 'ENOENT' && code !== 'ECONNREFUSED' && code !== 'EAGAIN')) throw outcome;
    await sleep(RETRY_MS);
  }
}

function attempt(path: string): Promise<Duplex | Error> {
  return new Promise((resolve) => {
    try {
      const socket = connectTo(path);
      socket.once('connect', () => resolve(socket)).once('error', resolve);
    } catch (error) {
      resolve(error as Error);
    }
  });
}

export function greet(duplex: Duplex, { fresh, signal }: ConnectOptions): Greeting {
  const nonce = newNonce();
  const mux = new Mux(pipeOf(duplex), refuse);
  const closed = new Promise<void>((done) => duplex.once('close', done));
  const answered = new Promise<void>((resolve, reject) => {
    const onAbort = () => reject(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    duplex.on('error', () => {});
    duplex.once('close', () => {
      mux.abandon('the connection to the sandbox ended');
      reject(lost('the connection ended before the agent answered'));
    });
    read(duplex, mux, nonce, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    if (signal?.aborted) onAbort();
  });
  // Awaiting it is optional: open requests are rejected when the connection ends.
  answered.catch(() => {});
  if (fresh !== true) duplex.write(resyncPadding());
  duplex.write(hello(nonce));
  return { mux, answered, closed };
}

/** Frames before the answer to this HELLO belong to an earlier session. A HELLO after it comes from a restarted agent, which has lost all streams. */
function read(duplex: Duplex, mux: Mux, nonce: Buffer, onAnswer: () => void): void {
  const decoder = new Decoder();
  let answered = false;
  duplex.on('data', (chunk: Buffer) => {
    for (const frame of decoder.push(chunk)) {
      if (frame.type === TYPE.hello && frame.payload.equals(nonce)) {
        answered = true;
        onAnswer();
        continue;
      }
      if (!answered) continue;
      if (frame.type === TYPE.hello) {
        duplex.destroy();
        return;
      }
      try {
        mux.receive(frame);
        if (duplex.writableLength > MAX_UNREAD) throw new Error('the guest does not read');
      } catch {
        // A guest may send anything: only its own connection is closed.
        duplex.destroy();
        return;
      }
    }
  });
  duplex.resume();
}

/** A nonce must only differ from those of earlier sessions: loading a secure generator would cost every command some milliseconds. */
function newNonce(): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeBigUInt64LE(process.hrtime.bigint(), 0);
  nonce.writeUInt32LE(process.pid, 8);
  nonce.writeUInt32LE(Math.floor(Math.random() * 2 ** 32), 12);
  return nonce;
}

/** A guest opens no streams to the host. */
function refuse(stream: MuxStream): StreamEvents {
  stream.reset('the host offers no services');
  return DISCARD;
}
