/** Receives a stream through a lane, in the order of the announcements. */
import type { Writable } from 'node:stream';
import { Failure } from '../protocol/failure.ts';
import { type Lane, type SlotMessage, slotMessage } from './lane.ts';

export interface LaneReceiverOptions {
  lane: Lane;
  output: Writable;
  release: (message: SlotMessage) => void;
}

export class LaneReceiver {
  readonly #options: LaneReceiverOptions;
  /** Announced and not read yet: no more than there are slots */
  readonly #pending = new Set<number>();
  #work: Promise<void> = Promise.resolve();

  constructor(options: LaneReceiverOptions) {
    this.#options = options;
  }

  /** @throws Failure for an invalid announcement, or a second one of the same slot */
  receive(message: unknown): void {
    const { slot, length } = slotMessage(message);
    if (length === undefined || this.#pending.has(slot))
      throw new Failure('guest-failed', 'a slot of the mailbox was announced twice');
    this.#pending.add(slot);
    this.#work = this.#work.then(() => this.#pass(slot, length));
    // An error destroys the output, whose reader reports it.
    this.#work.catch((error: Error) => this.#options.output.destroy(error));
  }

  /** Resolves when all that was announced has been passed on, or has failed. */
  async drained(): Promise<void> {
    await this.#work.catch(() => {});
  }

  async #pass(slot: number, length: number): Promise<void> {
    const { lane, output, release } = this.#options;
    const data = await lane.read(slot, length);
    this.#pending.delete(slot);
    release({ slot });
    await new Promise<void>((resolve, reject) => {
      output.write(data, (error) => (error ? reject(error) : resolve()));
    });
  }
}
