/**
 * A lane of the mailbox: places for the data of one copy, in a file of the host that is a block device of the guest. The guest agent's port, which
 * carries a fraction of its speed, only says which place is filled and which is free again. The guest can read and write all of it at any time.
 */
import type { FileHandle } from 'node:fs/promises';
import { Failure } from '../protocol/failure.ts';

/** The lanes follow the slots of the workspace's relay (lib/guest/workspace/mailbox.pl). */
export const LANES = { at: 16 << 20, count: 2, slots: 4, slotBytes: 1 << 20 } as const;
export const MAILBOX_BYTES = LANES.at + LANES.count * LANES.slots * LANES.slotBytes;

const SECTOR = 512;

/** Announces that a slot is filled; without `length`: that it is free again */
export interface SlotMessage {
  slot: number;
  length?: number;
}

export interface LaneOptions {
  file: FileHandle;
  lane: number;
  /** Room for one slot, aligned as the file needs it */
  buffer: Buffer;
}

export class Lane {
  readonly #options: LaneOptions;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  get buffer(): Buffer {
    return this.#options.buffer;
  }

  /** Reads it once, into memory that the other side cannot change afterwards. */
  async read(slot: number, length: number): Promise<Buffer> {
    const { file, buffer } = this.#options;
    const { bytesRead } = await file.read(buffer, 0, sectors(length), this.#placeOf(slot));
    if (bytesRead < length) throw new Failure('guest-failed', 'the mailbox ended early');
    return Buffer.from(buffer.subarray(0, length));
  }

  /** Writes the first bytes of `buffer`. */
  async write(slot: number, length: number): Promise<void> {
    const { file, buffer } = this.#options;
    const { bytesWritten } = await file.write(buffer, 0, sectors(length), this.#placeOf(slot));
    if (bytesWritten < length) throw new Failure('guest-failed', 'the mailbox ended early');
  }

  #placeOf(slot: number): number {
    return LANES.at + (this.#options.lane * LANES.slots + slot) * LANES.slotBytes;
  }
}

/** @throws Failure `guest-failed` for what is no message about a slot of a lane */
export function slotMessage(message: unknown): SlotMessage {
  const { slot, length } = (message ?? {}) as Partial<SlotMessage>;
  if (!isWithin(slot, 0, LANES.slots - 1)) throw invalid();
  if (length !== undefined && !isWithin(length, 1, LANES.slotBytes)) throw invalid();
  return { slot, ...(length === undefined ? {} : { length }) };
}

/** The number of a lane in the first answer of the guest; undefined: it has none for this copy */
export function laneOf(message: unknown): number | undefined {
  const { lane } = (message ?? {}) as { lane?: unknown };
  return isWithin(lane, 0, LANES.count - 1) ? lane : undefined;
}

function isWithin(value: unknown, low: number, high: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high;
}

function invalid(): Failure {
  return new Failure('guest-failed', 'the copy was refused', { why: 'a message about its mailbox is invalid' });
}

function sectors(length: number): number {
  return Math.ceil(length / SECTOR) * SECTOR;
}
