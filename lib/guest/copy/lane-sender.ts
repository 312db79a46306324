/** Sends a stream through a lane: at most as much as its slots hold is under way. */
import { Failure } from '../protocol/failure.ts';
import { LANES, type Lane, type SlotMessage, slotMessage } from './lane.ts';

export class LaneSender {
  readonly #lane: Lane;
  readonly #announce: (message: SlotMessage) => void;
  readonly #free = new Set(Array.from({ length: LANES.slots }, (_, slot) => slot));
  #filled = 0;
  #wake: (() => void) | undefined;
  #stopped = false;
  #writing: Promise<void> = Promise.resolve();

  constructor(lane: Lane, announce: (message: SlotMessage) => void) {
    this.#lane = lane;
    this.#announce = announce;
  }

  async send(piece: Buffer): Promise<void> {
    for (let at = 0; at < piece.length; ) {
      const copied = piece.copy(this.#lane.buffer, this.#filled, at);
      at += copied;
      this.#filled += copied;
      if (this.#filled === LANES.slotBytes) await this.flush();
    }
  }

  /** Sends what does not fill a slot. */
  async flush(): Promise<void> {
    const length = this.#filled;
    if (length === 0) return;
    const slot = await this.#take();
    this.#writing = this.#lane.write(slot, length);
    await this.#writing;
    this.#filled = 0;
    this.#announce({ slot, length });
  }

  /** As `flush`; resolves when the receiver has read all of it. Until then the lane MUST NOT go to another copy. */
  async finish(): Promise<void> {
    await this.flush();
    while (this.#free.size < LANES.slots) await this.#released();
  }

  /** Resolves when nothing is being written into the lane. */
  async settled(): Promise<void> {
    await this.#writing.catch(() => {});
  }

  /** The receiver has read a slot. @throws Failure for one that is free already */
  release(message: unknown): void {
    const { slot } = slotMessage(message);
    if (this.#free.has(slot)) throw new Failure('guest-failed', 'a free slot of the mailbox was released');
    this.#free.add(slot);
    this.#wake?.();
  }

  /** A `send` that waits fails. */
  stop(): void {
    this.#stopped = true;
    this.#wake?.();
  }

  async #take(): Promise<number> {
    while (this.#free.size === 0) await this.#released();
    if (this.#stopped) throw cancelled();
    const [slot = 0] = this.#free;
    this.#free.delete(slot);
    return slot;
  }

  async #released(): Promise<void> {
    if (!this.#stopped)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    if (this.#stopped) throw cancelled();
  }
}

function cancelled(): Failure {
  return new Failure('guest-failed', 'the copy was cancelled');
}
