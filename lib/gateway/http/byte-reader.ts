/** Reads a socket at its consumer's pace, until the socket is released. */
import type { Socket } from 'node:net';

export interface ByteReader {
  /** Received and not consumed */
  readonly buffered: Buffer;
  /** No more bytes will arrive */
  readonly ended: boolean;
  /** Waits for more bytes. False: the stream ended. */
  more(): Promise<boolean>;
  consume(bytes: number): void;
  /** Consumes all buffered bytes, or waits for some. Undefined: the stream ended. */
  chunk(): Promise<Buffer | undefined>;
  /** Puts bytes of the last chunk back */
  unshift(bytes: Buffer): void;
  /** Keeps reading up to `most` bytes while the consumer is busy; calls `overrun` once if more arrive */
  readAhead(most: number, overrun: () => void): () => void;
  /** Stops reading, pauses the socket and returns the buffered bytes */
  release(): Buffer;
}

const EMPTY = Buffer.alloc(0);

export function readBytes(socket: Socket): ByteReader {
  return new SocketReader(socket);
}

class SocketReader implements ByteReader {
  readonly #socket: Socket;
  #parts: Buffer[] = [];
  #size = 0;
  #ended = false;
  /** Bytes that may be buffered without a waiting consumer; above it, the socket pauses and `#overrun` is called */
  #ahead = 0;
  #overrun = () => {};
  #wake = () => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onEnd);
    socket.pause();
  }

  get buffered(): Buffer {
    if (this.#parts.length > 1) this.#parts = [Buffer.concat(this.#parts)];
    return this.#parts[0] ?? EMPTY;
  }

  get ended(): boolean {
    return this.#ended;
  }

  async more(): Promise<boolean> {
    const before = this.#size;
    while (this.#size === before && !this.#ended)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        this.#socket.resume();
      });
    return this.#size > before;
  }

  consume(bytes: number): void {
    const rest = this.buffered.subarray(bytes);
    this.#parts = rest.length > 0 ? [rest] : [];
    this.#size = rest.length;
  }

  async chunk(): Promise<Buffer | undefined> {
    if (this.#size === 0 && !(await this.more())) return undefined;
    return this.#takeAll();
  }

  unshift(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#parts.unshift(bytes);
    this.#size += bytes.length;
  }

  readAhead(most: number, overrun: () => void): () => void {
    this.#ahead = most;
    this.#overrun = overrun;
    if (this.#size > most) overrun();
    else this.#socket.resume();
    return () => {
      this.#ahead = 0;
      this.#overrun = () => {};
      this.#socket.pause();
    };
  }

  release(): Buffer {
    this.#socket.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onEnd);
    this.#socket.pause();
    return this.#takeAll();
  }

  #takeAll(): Buffer {
    const all = this.buffered;
    this.consume(all.length);
    return all;
  }

  readonly #onData = (part: Buffer): void => {
    this.#parts.push(part);
    this.#size += part.length;
    if (this.#size > this.#ahead) {
      this.#socket.pause();
      if (this.#ahead > 0) this.#overrun();
    }
    this.#wake();
  };

  readonly #onEnd = (): void => {
    this.#ended = true;
    this.#wake();
  };
}
