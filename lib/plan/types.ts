/** The types of a plan: pure data, the JSON of `sbx plan --json`. */
import type { Power } from '../spec/desired.ts';
import type { SandboxSpec, Source, VmSize } from '../spec/spec.ts';

export type Effect = 'create' | 'live' | 'restart' | 'rebuild' | 'destroy' | 'none';

export interface Change {
  sandbox: string;
  /** Dotted path of the field, or `.` for the sandbox as a whole */
  path: string;
  from: unknown;
  to: unknown;
  effect: Effect;
  /** Why nothing less than `effect` does, in words */
  reason?: string;
  /** Gives the sandbox more access than was approved */
  widens: boolean;
  source: Source;
}

/** The observed state of one sandbox, read at the time of the plan and never cached. */
export interface ObservedSandbox {
  name: string;
  /** The instance folder exists */
  exists: boolean;
  /** The spec that was last applied in full */
  applied: SandboxSpec | undefined;
  /** QEMU's process is alive */
  running: boolean;
  /** The recorded desired power: not `on` after `sbx stop`, `sbx suspend` or an idle stop, until it is asked for again */
  power: Power;
  /** Of its disk, and of its last start: see `Desired` */
  generation: number;
  boot: number;
  /** Its memory is saved, of a VM of this size; absent: it is not suspended */
  suspended?: VmSize | undefined;
  /** How the last run ended, when not running */
  exit: { code: number | undefined; at: number } | undefined;
  /** The guest agent answers */
  ready: boolean;
  /** Of the VM that runs; absent: none runs, or unknown */
  size?: VmSize | undefined;
  /** The gateway enforces the network list with this hash; undefined: the egress proxy is closed */
  networkHash: string | undefined;
  /** Key of the warm layer that the instance was cloned from */
  warmKey: string | undefined;
}

/** Arguments of each step, by action. Every step MUST be safe to run again after it was cut off anywhere. */
export interface Steps {
  /** Bake (or reuse) every layer up to the warm one */
  build: { sandbox: string; spec: SandboxSpec };
  /** Replace the disk by a clone of the warm base, resume it, assign its identity */
  create: { sandbox: string; spec: SandboxSpec; generation: number; boot: number };
  /** Cold-boot on the instance's own disk, with cpus and memory as the spec says; a disk that is smaller than it says grows */
  start: { sandbox: string; spec: SandboxSpec; generation: number; boot: number };
  /** End the VM. A saved memory is dropped */
  stop: { sandbox: string };
  /** Save the memory of the VM that runs, and end it. After a failure it MUST run on */
  suspend: { sandbox: string };
  /** Continue from the saved memory, or cold-boot on its own disk where that cannot be */
  resume: { sandbox: string; spec: SandboxSpec; generation: number; boot: number };
  /** Make the disk of the VM that runs as large as the spec says, with its file system. MUST NOT make it smaller. Nothing to do where none runs: its next start does it */
  grow: { sandbox: string; spec: SandboxSpec };
  /** Install the packages that the applied spec lacks in the VM that runs, and run the lines added to `setup`, under its own network policy. MUST leave the disk and what runs as they are otherwise */
  install: { sandbox: string; spec: SandboxSpec };
  /** Put the network policy into force */
  network: { sandbox: string; spec: SandboxSpec };
  /** Put credentials and the workspace's rules into force and record the spec as applied */
  record: { sandbox: string; spec: SandboxSpec };
  destroy: { sandbox: string };
}

/** A step; with a type argument, the steps of these actions. */
export type Step<A extends keyof Steps = keyof Steps> = { [K in A]: { action: K } & Steps[K] }[A];

export interface Plan {
  changes: Change[];
  steps: Step[];
}
