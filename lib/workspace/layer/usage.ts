/** Bounds what a guest can put into its private layer. */
import { fail } from '../server/sys/errno.ts';

export interface UsageLimits {
  /** Sum of the sizes of all files */
  bytes: number;
  /** Names, whiteouts included */
  entries: number;
}

export class Usage {
  bytes = 0;
  entries = 0;
  private readonly limits: UsageLimits;

  constructor(limits: UsageLimits) {
    this.limits = limits;
  }

  /** Call it before a name is made; @throws ENOSPC */
  requireEntry(): void {
    if (this.entries >= this.limits.entries) fail('ENOSPC');
  }

  /** Counts bytes before they are written; a negative number frees some. @throws ENOSPC */
  grow(bytes: number): void {
    if (bytes > 0 && this.bytes + bytes > this.limits.bytes) fail('ENOSPC');
    this.bytes = Math.max(0, this.bytes + bytes);
  }
}
