/**
 * The map of a sparse file in an archive, as in GNU tar's format 1.0: which parts of it follow, and where they belong. The type of such an entry
 * is one of its own, so that an extractor which knows no maps refuses the entry instead of writing the map into the file.
 */
import type { Failure } from '../protocol/failure.ts';
import { refused } from './refusal.ts';
import type { Header } from './types.ts';

/** A part of a file with data. Between parts are holes */
export interface Part {
  /** In bytes, as `length` */
  at: number;
  length: number;
}

export interface SparseFile {
  /** Of the whole file, in bytes */
  size: number;
  /** In ascending order */
  parts: readonly Part[];
}

export const SPARSE_TYPE = 'contiguous-file';
/** Most parts of one file: the finder joins the rest */
export const MAX_PARTS = 4096;

/** Largest file of ext4, in bytes */
const MAX_SIZE = 2 ** 44;
const MAX_DIGITS = 14;
const BLOCK = 512;
const [NUL, LINE_FEED, ZERO, NINE] = [0x00, 0x0a, 0x30, 0x39] as const;
const PREFIX = 'GNU.sparse.';

interface EncodedMap {
  /** Comes first in the content */
  map: Buffer;
  header: { type: typeof SPARSE_TYPE; size: number; pax: Record<string, string> };
}

export function encodeMap({ size, parts }: SparseFile): EncodedMap {
  // GNU tar needs a part at the end, also if it is empty.
  const last = parts.at(-1);
  const list = last !== undefined && last.at + last.length === size ? parts : [...parts, { at: size, length: 0 }];
  const text = [list.length, ...list.flatMap(({ at, length }) => [at, length])].map((n) => `${n}\n`).join('');
  const map = Buffer.alloc(Math.ceil(text.length / BLOCK) * BLOCK);
  map.write(text, 'latin1');
  const pax = { [`${PREFIX}major`]: '1', [`${PREFIX}minor`]: '0', [`${PREFIX}realsize`]: String(size) };
  const data = parts.reduce((sum, { length }) => sum + length, 0);
  return { map, header: { type: SPARSE_TYPE, size: map.length + data, pax } };
}

/** Reads a map that may be hostile. */
export class MapReader {
  readonly #header: Header;
  readonly #size: number;
  readonly #numbers: number[] = [];
  #digits = '';
  #consumed = 0;

  /** @throws Failure `refused-policy` for another format, or a size that no file has */
  constructor(header: Header) {
    this.#header = header;
    const pax = (header.pax ?? {}) as Record<string, string>;
    const size = pax[`${PREFIX}realsize`] ?? '';
    if (pax[`${PREFIX}major`] !== '1' || pax[`${PREFIX}minor`] !== '0') throw this.#refused('its format is unknown');
    if (!/^\d{1,14}$/.test(size) || Number(size) > MAX_SIZE) throw this.#refused('its size is invalid');
    this.#size = Number(size);
  }

  /** Returns where in `chunk` the data begins; undefined: all of it belongs to the map. @throws Failure `refused-policy` */
  push(chunk: Buffer): number | undefined {
    for (let at = 0; at < chunk.length; at += 1) {
      if (this.#isComplete() && this.#consumed % BLOCK === 0) return at;
      this.#add(chunk[at] ?? NUL);
    }
    return undefined;
  }

  /** @throws Failure `refused-policy` for a map that is not one of this file */
  file(): SparseFile {
    if (!this.#isComplete() || this.#consumed % BLOCK !== 0) throw this.#refused('it ends early');
    const parts: Part[] = [];
    let [end, data] = [0, 0];
    for (let index = 1; index < this.#numbers.length; index += 2) {
      const [at = 0, length = 0] = this.#numbers.slice(index, index + 2);
      if (at < end) throw this.#refused('its parts overlap or are out of order');
      end = at + length;
      data += length;
      if (end > this.#size) throw this.#refused('a part is beyond the end of the file');
      if (length > 0) parts.push({ at, length });
    }
    if (this.#consumed + data !== this.#header.size) throw this.#refused('its parts are not what follows');
    return { size: this.#size, parts };
  }

  #isComplete(): boolean {
    const [count] = this.#numbers;
    return count !== undefined && this.#numbers.length === 1 + 2 * count;
  }

  #add(byte: number): void {
    this.#consumed += 1;
    if (this.#isComplete()) {
      if (byte !== NUL) throw this.#refused('it is too long');
    } else if (byte >= ZERO && byte <= NINE && this.#digits.length < MAX_DIGITS) {
      this.#digits += String.fromCharCode(byte);
    } else if (byte === LINE_FEED && this.#digits !== '') {
      this.#numbers.push(Number(this.#digits));
      this.#digits = '';
      if (this.#numbers.length === 1 && (this.#numbers[0] ?? 0) > MAX_PARTS)
        throw this.#refused('it has too many parts');
    } else throw this.#refused('it is not a list of numbers');
  }

  #refused(why: string): Failure {
    return refused(this.#header.name, `the map of a sparse file is invalid: ${why}`);
  }
}
