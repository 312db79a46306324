/** A client's connection to a guest agent, through QEMU's socket or through the daemon's relay. */
import { type Duplex, PassThrough, type Readable, type Writable } from 'node:stream';
import { type ErrorJson, fromErrorJson } from '../../errors.ts';
import type { CopyResult } from '../copy/types.ts';
import type { Calls, ConnectRequest, ExecRequest } from '../protocol/messages.ts';
import { DISCARD, type Mux, type MuxStream, type StreamEvents } from '../protocol/mux.ts';
import { inputOf, lost, streamEvents } from './client-streams.ts';
import { type ConnectOptions, dial, greet } from './handshake.ts';
import { openProcess, type ProcessClient } from './process-client.ts';
import type { CopyOptions } from './transfer.ts';

export interface GuestProcess extends ProcessClient, AsyncDisposable {}

export class GuestConnection implements AsyncDisposable {
  /** Resolves when the connection has ended, on either side */
  readonly closed: Promise<void>;
  readonly #duplex: Duplex;
  readonly #mux: Mux;
  readonly #answered: Promise<void>;

  private constructor(duplex: Duplex, options: ConnectOptions) {
    const { mux, answered, closed } = greet(duplex, options);
    // Each client of a relay adds listeners.
    this.#duplex = duplex.setMaxListeners(0);
    this.#mux = mux;
    this.#answered = answered;
    this.closed = closed;
  }

  /** Connects and waits until the agent has answered. A path is retried until a process listens there. */
  static async connect(target: string | Duplex, options: ConnectOptions = {}): Promise<GuestConnection> {
    const duplex = typeof target === 'string' ? await dial(target, options.signal) : target;
    return GuestConnection.#answering(new GuestConnection(duplex, options));
  }

  /**
   * The same without waiting: requests sent at once arrive with the greeting, in one round trip. MUST be used on a fresh pipe only, since the
   * half frame of a dead session would swallow a part of them.
   */
  static open(duplex: Duplex): GuestConnection {
    return new GuestConnection(duplex, { fresh: true });
  }

  /** Waits until the agent has answered, but sends the requests of `ask` at once. The same condition holds. */
  static async connectAsking(
    path: string,
    signal: AbortSignal,
    ask: (guest: GuestConnection) => void,
  ): Promise<GuestConnection> {
    const guest = new GuestConnection(await dial(path, signal), { fresh: true, signal });
    ask(guest);
    return GuestConnection.#answering(guest);
  }

  static async #answering(guest: GuestConnection): Promise<GuestConnection> {
    try {
      await guest.#answered;
      return guest;
    } catch (error) {
      guest.#duplex.destroy();
      throw error;
    }
  }

  /** @throws SbxError as the agent reported it, `guest-protocol` when the connection ends first. */
  async request<K extends keyof Calls>(service: K, body: Calls[K]['ask']): Promise<Calls[K]['answer']> {
    return await new Promise((resolve, reject) => {
      this.#mux.open(service, body, {
        ...DISCARD,
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
        stream.reset('the client disconnected');
        events.onReset('the client disconnected');
      },
    };
  }

  /** Opens a TCP connection from inside the guest. */
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

  /** Copies a file or folder of the guest to the host. The guest's archive is not trusted. */
  async get(options: CopyOptions): Promise<CopyResult> {
    return (await import('./transfer.ts')).get(this, options);
  }

  /** Calls `listener` when the connection ends. Returns its removal: a promise would keep every listener until then. */
  whenClosed(listener: () => void): () => void {
    if (this.#duplex.closed) queueMicrotask(listener);
    else this.#duplex.once('close', listener);
    return () => void this.#duplex.off('close', listener);
  }

  /** Opens a stream with its raw events. */
  openRaw(service: string, body: unknown, events: StreamEvents): MuxStream {
    return this.#mux.open(service, body, events);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#duplex.destroy();
    await this.closed;
  }
}
