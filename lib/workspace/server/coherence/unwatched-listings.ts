/** Takes back the entries of folders without a watch: a kernel that reads folders without opening them keeps all that it reads. */
import type { Invalidation } from '../fuse/notify.ts';
import { OPCODES } from '../fuse/opcodes.ts';

export function isListing(opcode: number): boolean {
  return opcode === OPCODES.READDIR || opcode === OPCODES.READDIRPLUS;
}

export class UnwatchedListings implements Disposable {
  readonly #send: (invalidation: Invalidation) => void;
  readonly #afterMs: number;
  readonly #nodes = new Set<number>();
  #timer: NodeJS.Timeout | undefined;

  /** @param afterMs when the kernel has surely taken the reply in */
  constructor(send: (invalidation: Invalidation) => void, afterMs: number) {
    this.#send = send;
    this.#afterMs = afterMs;
  }

  /** Call it before the reply is sent. */
  add(node: number): void {
    this.#nodes.add(node);
    queueMicrotask(() => this.#send({ type: 'inode', node }));
    this.#timer ??= setTimeout(() => this.#flush(), this.#afterMs);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #flush(): void {
    this.#timer = undefined;
    for (const node of this.#nodes) this.#send({ type: 'inode', node });
    this.#nodes.clear();
  }
}
