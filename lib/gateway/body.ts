/** Lets exactly one request body through: what follows it never reaches the upstream. */
import { Transform, type TransformCallback } from 'node:stream';
import type { RequestHead } from './request-head.ts';

/** Ends itself after the body's last byte; errors on malformed chunks. */
export class OneBody extends Transform {
  #left: number;
  readonly #chunked: boolean;
  #state: 'size' | 'data' | 'data-end' | 'trailer' | 'done';
  #line = '';

  constructor(body: RequestHead['body']) {
    super();
    this.#chunked = body.kind === 'chunked';
    this.#left = body.kind === 'length' ? body.bytes : 0;
    this.#state = body.kind === 'none' ? 'done' : this.#chunked ? 'size' : 'data';
    if (this.#state === 'done') this.push(null);
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    let at = 0;
    while (at < chunk.length && this.#state !== 'done') {
      if (this.#state === 'data') {
        const size = Math.min(this.#left, chunk.length - at);
        this.push(chunk.subarray(at, at + size));
        at += size;
        this.#left -= size;
        if (this.#left === 0) this.#afterData();
      } else {
        this.#line += String.fromCharCode(chunk[at] ?? 0);
        this.push(chunk.subarray(at, at + 1));
        at += 1;
        if (this.#line.length > 1024 || (this.#line.endsWith('\n') && !this.#takeLine())) {
          callback(new Error('a malformed chunk'));
          return;
        }
      }
    }
    callback();
  }

  #afterData(): void {
    if (this.#chunked) this.#state = 'data-end';
    else this.#finish();
  }

  #takeLine(): boolean {
    const line = this.#line;
    this.#line = '';
    if (!line.endsWith('\r\n')) return false;
    if (this.#state === 'data-end') {
      this.#state = 'size';
      return line === '\r\n';
    }
    if (this.#state === 'trailer') {
      if (line === '\r\n') this.#finish();
      return true;
    }
    const size = /^([0-9a-fA-F]{1,8})\r\n$/.exec(line)?.[1];
    if (size === undefined) return false;
    this.#left = Number.parseInt(size, 16);
    this.#state = this.#left === 0 ? 'trailer' : 'data';
    return true;
  }

  #finish(): void {
    this.#state = 'done';
    this.push(null);
  }
}
