/** Reads the body of a request with bounds checks: the guest chose every byte of it. */
import { fail } from '../sys/errno.ts';

const SAFE_HIGH = 0x20_0000;

export class BodyReader {
  private offset: number;
  private readonly frame: Buffer;

  /** @param start where the body begins in `frame` */
  constructor(frame: Buffer, start: number) {
    this.frame = frame;
    this.offset = start;
  }

  u32(): number {
    return this.frame.readUInt32LE(this.take(4));
  }

  /** A size, or where something is written; @throws EFBIG beyond 2^53 */
  size(): number {
    return requireSize(this.id());
  }

  /** Where something is read: beyond 2^53 is behind the end of every file */
  position(): number {
    const value = this.id();
    return Number.isNaN(value) ? Number.MAX_SAFE_INTEGER : value;
  }

  /** A node id, a handle or a count; @returns NaN beyond 2^53, a number that the server never gave out */
  id(): number {
    const at = this.take(8);
    const high = this.frame.readUInt32LE(at + 4);
    return high >= SAFE_HIGH ? Number.NaN : high * 0x1_0000_0000 + this.frame.readUInt32LE(at);
  }

  /** Signed seconds; @throws EINVAL beyond 2^53 */
  i64(): number {
    const value = Number(this.frame.readBigInt64LE(this.take(8)));
    return Number.isSafeInteger(value) ? value : fail('EINVAL');
  }

  skip(size: number): void {
    this.take(size);
  }

  bytes(size: number): Buffer {
    const at = this.take(size);
    return this.frame.subarray(at, at + size);
  }

  /** Bytes up to a NUL, as a latin1 string; @throws EINVAL without a NUL */
  text(): string {
    const end = this.frame.indexOf(0, this.offset);
    if (end < 0) fail('EINVAL');
    const text = this.frame.toString('latin1', this.offset, end);
    this.offset = end + 1;
    return text;
  }

  /** One component of a path, as a latin1 string; @throws EINVAL, ENAMETOOLONG */
  name(): string {
    const name = this.text();
    if (name === '' || name === '.' || name === '..' || name.includes('/')) fail('EINVAL');
    return name.length > 255 ? fail('ENAMETOOLONG') : name;
  }

  get remaining(): number {
    return this.frame.length - this.offset;
  }

  private take(size: number): number {
    const at = this.offset;
    if (size > this.frame.length - at) fail('EINVAL');
    this.offset = at + size;
    return at;
  }
}

/** @throws EFBIG for a number beyond 2^53: no file system of the host has such files */
export function requireSize(value: number): number {
  return Number.isNaN(value) ? fail('EFBIG') : value;
}
