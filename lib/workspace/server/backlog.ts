/** Counts what waits in a session: requests that run in other threads, and replies that the guest has not taken. Reading stops beyond the limits. */

/** Replies that wait to be written, in bytes */
const QUEUE_MAX = 8 * 1024 * 1024;

/** As QUEUE_MAX, in replies: a small one takes more memory than its bytes */
const UNSENT_MAX = 8192;

/** Requests that run in other threads at a time */
const PENDING_MAX = 64;

/** As PENDING_MAX, in bytes: a request that waits for a walk is kept whole, and a guest can make it long */
const HELD_BYTES_MAX = 4 * 1024 * 1024;

export class Backlog {
  private readonly heldBytesMax: number;
  private pending = 0;
  private heldBytes = 0;
  private unsent = 0;

  constructor(heldBytesMax: number = HELD_BYTES_MAX) {
    this.heldBytesMax = heldBytesMax;
  }

  /** `queued`: bytes that the stream has not written */
  isFull(queued: number): boolean {
    return queued > QUEUE_MAX || this.unsent > UNSENT_MAX || this.isHolding;
  }

  /** A request of so many bytes waits for another thread. */
  hold(bytes: number): void {
    this.pending++;
    this.heldBytes += bytes;
  }

  /** True: too much was held before, and no longer is */
  release(bytes: number): boolean {
    const wasHolding = this.isHolding;
    this.pending--;
    this.heldBytes -= bytes;
    return wasHolding && !this.isHolding;
  }

  addReply(): void {
    this.unsent++;
  }

  /** True: enough replies were taken since there were too many */
  removeReply(): boolean {
    return --this.unsent === UNSENT_MAX / 2;
  }

  /** What waits does not wait for another request of the guest: it ends also while nothing is read. */
  private get isHolding(): boolean {
    return this.pending >= PENDING_MAX || this.heldBytes > this.heldBytesMax;
  }
}
