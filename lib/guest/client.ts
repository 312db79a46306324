/** The asking side: a connection to a guest's agent, through QEMU's socket or through the daemon's relay. */
import { connect as netConnect } from 'node:net';
import { type Duplex, PassThrough, type Readable, type Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorJson, errnoOf, fromErrorJson } from '../errors.ts';
import { inputOf, lost, streamEvents } from './client-streams.ts';
import type { CopyResult } from './copy/types.ts';
import { Mux, type MuxStream, type StreamEvents } from './mux.ts';
import { type Calls, CHANNEL, type ConnectRequest, type ExecRequest, type ExecResult } from './services.ts';
import type { CopyOptions } from './transfer.ts';
import { Decoder, hello, resyncPadding, TYPE } from './wire.ts';

export interface ConnectOptions {
  /** Nobody has spoken to this guest since its VM started: nothing of a dead session can be in the pipe */
  fresh?: boolean;
  /** Waiting for the guest ends with it; required in practice, since a guest may never answer */
  signal?: AbortSignal;
}

export interface GuestProcess extends AsyncDisposable {
  stdin: Writable;
  stdout: Readable;
  stderr: Readable;
  /** Rejects with `guest-protocol` when the connection ends first */
  exit: Promise<ExecResult>;
  resize(cols: number, rows: number): void;
  /** A signal's name, `SIGINT` */
  kill(signal: string): void;
}

const NONCE_BYTES = 16;
const RETRY_MS = 5;
/** Bytes waiting for a guest that does not read, after which it is given up */
const MOST_UNREAD = 32 * 1024 ** 2;

export class GuestConnection implements AsyncDisposable {
  /** Resolves when the connection has ended, by whichever side */
  readonly closed: Promise<void>;
  readonly #duplex: Duplex;
  readonly #mux: Mux;

  private constructor(duplex: Duplex, mux: Mux, closed: Promise<void>) {
    this.#duplex = duplex;
    this.#mux = mux;
    this.closed = closed;
  }

  /** Connects and waits until the agent has answered. A path is tried again until something listens there. */
  static async connect(target: string | Duplex, options: ConnectOptions = {}): Promise<GuestConnection> {
    const duplex = typeof target === 'string' ? await dial(target, options.signal) : target;
    try {
      return await handshake(duplex, options, (mux, closed) => new GuestConnection(duplex, mux, closed));
    } catch (error) {
      duplex.destroy();
      throw error;
    }
  }

  /** @throws SbxError as the agent reported it, `guest-protocol` when the connection ends first. */
  async request<K extends keyof Calls>(service: K, body: Calls[K]['ask']): Promise<Calls[K]['answer']> {
    return await new Promise((resolve, reject) => {
      this.#mux.open(service, body, {
        onData: (_channel, _data, taken) => taken(),
        onEnd: () => {},
        onControl: () => {},
        onClose: (result) => {
          const answer = result as { error?: ErrorJson };
          if (answer.error === undefined) resolve(result as Calls[K]['answer']);
          else reject(fromErrorJson(answer.error));
        },
        onReset: (reason) => reject(lost(reason)),
      });
    });
  }

  /** Runs a command. Disposing it ends the command and all of its process group. */
  exec(request: ExecRequest): GuestProcess {
    const stdout = new PassThrough();
    const stderr = new PassThrough();
    const { events, result } = streamEvents<ExecResult>(
      (channel) => (channel === CHANNEL.stderr ? stderr : stdout),
      [stdout, stderr],
    );
    const stream = this.#mux.open('exec', request, events);
    const stdin = inputOf(stream);
    return {
      stdin,
      stdout,
      stderr,
      exit: result,
      resize: (cols, rows) => stream.control({ resize: { cols, rows } }),
      kill: (signal) => stream.control({ signal }),
      async [Symbol.asyncDispose]() {
        result.catch(() => {});
        stream.reset('the client has gone');
        events.onReset('the client has gone');
      },
    };
  }

  /** A TCP connection from inside the guest. */
  connectPort(request: ConnectRequest): { input: Writable; output: Readable; ended: Promise<unknown> } {
    const output = new PassThrough();
    const { events, result } = streamEvents<unknown>(() => output, [output]);
    const stream = this.#mux.open('connect', request, events);
    return { input: inputOf(stream), output, ended: result };
  }

  /** Copies a file or folder of the host into the guest. */
  async put(options: CopyOptions): Promise<CopyResult> {
    return (await import('./transfer.ts')).put(this, options);
  }

  /** Copies a file or folder of the guest to the host: what comes is not trusted. */
  async get(options: CopyOptions): Promise<CopyResult> {
    return (await import('./transfer.ts')).get(this, options);
  }

  /** A stream with its raw events. */
  openRaw(service: string, body: unknown, events: StreamEvents): MuxStream {
    return this.#mux.open(service, body, events);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#duplex.destroy();
    await this.closed;
  }
}

async function dial(path: string, signal: AbortSignal | undefined): Promise<Duplex> {
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

function handshake<T>(
  duplex: Duplex,
  options: ConnectOptions,
  make: (mux: Mux, closed: Promise<void>) => T,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const nonce = newNonce();
    const decoder = new Decoder();
    let mux: Mux | undefined;
    const closed = new Promise<void>((done) => duplex.once('close', done));
    const onAbort = () => reject(options.signal?.reason);
    options.signal?.addEventListener('abort', onAbort, { once: true });
    duplex.on('error', () => {});
    duplex.once('close', () => {
      mux?.abandon('the connection to the sandbox ended');
      reject(lost('the connection ended before the agent answered'));
    });
    duplex.on('data', (chunk: Buffer) => {
      for (const frame of decoder.push(chunk)) {
        if (frame.type === TYPE.hello && frame.payload.equals(nonce)) {
          options.signal?.removeEventListener('abort', onAbort);
          mux = new Mux(pipeOf(duplex), refuse);
          resolve(make(mux, closed));
          continue;
        }
        try {
          mux?.take(frame);
          if (duplex.writableLength > MOST_UNREAD) throw new Error('it does not read');
        } catch {
          // A guest may send anything: it loses its connection, and nobody else is harmed.
          duplex.destroy();
          return;
        }
      }
    });
    duplex.resume();
    if (options.signal?.aborted) return onAbort();
    if (options.fresh !== true) duplex.write(resyncPadding());
    duplex.write(hello(nonce));
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
  return { onData: () => {}, onEnd: () => {}, onControl: () => {}, onClose: () => {}, onReset: () => {} };
}

export function pipeOf(duplex: Duplex): { write(frame: Buffer): Promise<void> } {
  let draining: Promise<void> | undefined;
  return {
    async write(frame) {
      if (duplex.destroyed) return;
      if (duplex.write(frame)) return;
      draining ??= new Promise<void>((resolve) => {
        const done = () => {
          duplex.off('drain', done);
          duplex.off('close', done);
          draining = undefined;
          resolve();
        };
        duplex.on('drain', done);
        duplex.on('close', done);
      });
      await draining;
    },
  };
}
