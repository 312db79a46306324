/** The asking side: a connection to a guest's agent, through QEMU's socket or through the daemon's relay. */
import { type Duplex, PassThrough, type Readable, type Writable } from 'node:stream';
import { type ErrorJson, fromErrorJson } from '../errors.ts';
import { inputOf, lost, streamEvents } from './client-streams.ts';
import type { CopyResult } from './copy/types.ts';
import { type ConnectOptions, dial, type Greeted, handshake } from './handshake.ts';
import { type Mux, type MuxStream, type StreamEvents, UNHEARD } from './mux.ts';
import { openProcess, type ProcessClient } from './process-client.ts';
import type { Calls, ConnectRequest, ExecRequest } from './services.ts';
import type { CopyOptions } from './transfer.ts';

export interface GuestProcess extends ProcessClient, AsyncDisposable {}

export class GuestConnection implements AsyncDisposable {
  /** Resolves when the connection has ended, by whichever side */
  readonly closed: Promise<void>;
  readonly #duplex: Duplex;
  readonly #mux: Mux;

  private constructor(duplex: Duplex, { mux, closed }: Greeted) {
    this.#duplex = duplex;
    this.#mux = mux;
    this.closed = closed;
  }

  /** Connects and waits until the agent has answered. A path is tried again until something listens there. */
  static async connect(target: string | Duplex, options: ConnectOptions = {}): Promise<GuestConnection> {
    const duplex = typeof target === 'string' ? await dial(target, options.signal) : target;
    try {
      return new GuestConnection(duplex, await handshake(duplex, options));
    } catch (error) {
      duplex.destroy();
      throw error;
    }
  }

  /** @throws SbxError as the agent reported it, `guest-protocol` when the connection ends first. */
  async request<K extends keyof Calls>(service: K, body: Calls[K]['ask']): Promise<Calls[K]['answer']> {
    return await new Promise((resolve, reject) => {
      this.#mux.open(service, body, {
        ...UNHEARD,
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
    const { stream, events, client } = openProcess((heard) => this.#mux.open('exec', request, heard));
    return {
      ...client,
      async [Symbol.asyncDispose]() {
        client.exit.catch(() => {});
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
