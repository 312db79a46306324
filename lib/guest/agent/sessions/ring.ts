/** Ring buffer of the last bytes of an output. Positions count from the first byte ever written. Pure. */

const FIRST_SIZE = 16 * 1024;

export class Ring {
  readonly #capacity: number;
  readonly #onDrop: (bytes: Buffer) => void;
  #buffer = Buffer.alloc(0);
  #end = 0;
  #start = 0;

  /** `onDrop`: called with the bytes that are overwritten, in order. */
  constructor(capacity: number, onDrop: (bytes: Buffer) => void = () => {}) {
    this.#capacity = capacity;
    this.#onDrop = onDrop;
  }

  /** Position of the oldest byte kept */
  get start(): number {
    return this.#start;
  }

  /** Position after the newest byte */
  get end(): number {
    return this.#end;
  }

  push(data: Buffer): void {
    for (let at = 0; at < data.length; at += this.#capacity) this.#append(data.subarray(at, at + this.#capacity));
  }

  /** Copies at most `most` bytes from a position on; a position before the oldest byte counts as the oldest. */
  read(from: number, most: number): Buffer {
    const at = Math.max(from, this.#start);
    const size = Math.max(0, Math.min(most, this.#end - at));
    const copy = Buffer.allocUnsafe(size);
    const place = this.#buffer.length === 0 ? 0 : at % this.#buffer.length;
    const first = Math.min(size, this.#buffer.length - place);
    this.#buffer.copy(copy, 0, place, place + first);
    this.#buffer.copy(copy, first, 0, size - first);
    return copy;
  }

  #append(data: Buffer): void {
    this.#grow(this.#end - this.#start + data.length);
    const over = this.#end - this.#start + data.length - this.#buffer.length;
    if (over > 0) {
      this.#onDrop(this.read(this.#start, over));
      this.#start += over;
    }
    const place = this.#end % this.#buffer.length;
    const first = Math.min(data.length, this.#buffer.length - place);
    data.copy(this.#buffer, place, 0, first);
    data.copy(this.#buffer, 0, first);
    this.#end += data.length;
  }

  /** Doubles the buffer as it fills, since most sessions write little. */
  #grow(wanted: number): void {
    const size = this.#buffer.length;
    if (wanted <= size || size === this.#capacity) return;
    let next = Math.max(size, Math.min(FIRST_SIZE, this.#capacity));
    while (next < wanted && next < this.#capacity) next = Math.min(next * 2, this.#capacity);
    const kept = this.read(this.#start, size);
    this.#buffer = Buffer.alloc(next);
    const place = this.#start % next;
    const first = Math.min(kept.length, next - place);
    kept.copy(this.#buffer, place, 0, first);
    kept.copy(this.#buffer, 0, first);
  }
}
