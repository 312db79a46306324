/** Finds the end of one body, so that the rest goes to the next message, and rewrites its chunks. Pure. */
import type { Framing } from './headers.ts';

export interface BodyPart {
  /** For forwarding: with rewritten framing, or the bare payload */
  out: Buffer[];
  /** Bytes after the end of the body */
  rest: Buffer;
}

const LINE_MAX = 1_024;
const TRAILERS_MAX = 16 * 1024;
const EMPTY = Buffer.alloc(0);

export class BodyReader {
  #state: 'data' | 'size' | 'data-end' | 'trailer' | 'until-end' | 'done';
  #left: number;
  #line = '';
  #trailers = 0;
  readonly #chunked: boolean;
  readonly #payload: boolean;

  /** `payload`: returns the bare payload, without chunk framing */
  constructor(framing: Framing, { payload = false } = {}) {
    this.#payload = payload;
    this.#chunked = framing.kind === 'chunked';
    this.#left = framing.kind === 'length' ? framing.bytes : 0;
    this.#state = framing.kind === 'end' ? 'until-end' : this.#chunked ? 'size' : this.#left > 0 ? 'data' : 'done';
  }

  get done(): boolean {
    return this.#state === 'done';
  }

  /** Complete if the connection ended now */
  get mayEnd(): boolean {
    return this.done || this.#state === 'until-end';
  }

  /** @returns a string if the framing is malformed */
  read(chunk: Buffer): BodyPart | string {
    if (this.#state === 'until-end') return { out: [chunk], rest: EMPTY };
    const out: Buffer[] = [];
    let at = 0;
    while (at < chunk.length && this.#state !== 'done') {
      if (this.#state === 'data') {
        const size = Math.min(this.#left, chunk.length - at);
        this.#data(chunk.subarray(at, at + size), out);
        at += size;
      } else {
        const end = chunk.indexOf(10, at);
        const until = end < 0 ? chunk.length : end + 1;
        this.#line += chunk.toString('latin1', at, until);
        at = until;
        if (this.#line.length > LINE_MAX) return 'a chunk line longer than 1 KiB';
        const bad = end < 0 ? undefined : this.#takeLine(out);
        if (bad !== undefined) return bad;
      }
    }
    return { out, rest: chunk.subarray(at) };
  }

  #data(bytes: Buffer, out: Buffer[]): void {
    this.#left -= bytes.length;
    if (this.#chunked && !this.#payload)
      out.push(Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n'));
    else out.push(bytes);
    if (this.#left === 0) this.#state = this.#chunked ? 'data-end' : 'done';
  }

  /** Extensions and trailers are dropped. */
  #takeLine(out: Buffer[]): string | undefined {
    const line = this.#line;
    this.#line = '';
    if (!line.endsWith('\r\n')) return 'a bare line feed in the chunks';
    if (this.#state === 'data-end') {
      this.#state = 'size';
      return line === '\r\n' ? undefined : 'a chunk longer than its size';
    }
    if (this.#state === 'trailer') return this.#takeTrailer(line, out);
    const size = /^([0-9a-fA-F]{1,12})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n$/.exec(line)?.[1];
    if (size === undefined) return 'a malformed chunk size';
    this.#left = Number.parseInt(size, 16);
    this.#state = this.#left === 0 ? 'trailer' : 'data';
    return undefined;
  }

  #takeTrailer(line: string, out: Buffer[]): string | undefined {
    this.#trailers += line.length;
    if (this.#trailers > TRAILERS_MAX) return 'trailers of more than 16 KiB';
    if (line !== '\r\n') return undefined;
    if (!this.#payload) out.push(Buffer.from('0\r\n\r\n'));
    this.#state = 'done';
    return undefined;
  }
}
