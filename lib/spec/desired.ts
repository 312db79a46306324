/** The desired state of one sandbox. Every request (apply, start, stop, restart, reset, rm, idle stop) changes it; the supervisor makes it so. */
import type { SandboxSpec } from './spec.ts';

/** `suspended`: off, with its memory kept for the next start */
export type Power = 'on' | 'off' | 'suspended';

export interface Desired {
  /** Undefined: the sandbox is to be removed */
  spec: SandboxSpec | undefined;
  power: Power;
  /** Raised by `reset`: a disk of an earlier generation is replaced by a fresh clone of the warm base */
  generation: number;
  /** Raised by `start` and `restart`: a VM of an earlier boot is booted again, whatever the restart policy says */
  boot: number;
}
