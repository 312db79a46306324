/** The types of a plan: pure data, printed by `sbx plan --json`. */
import type { SandboxSpec, Source } from '../spec/spec.ts';

export type Effect = 'create' | 'live' | 'restart' | 'rebuild' | 'destroy' | 'none';

export interface Change {
  sandbox: string;
  /** Dotted path of the field, or `.` for the sandbox as a whole */
  path: string;
  from: unknown;
  to: unknown;
  effect: Effect;
  /** Gives the sandbox more access than was approved */
  widens: boolean;
  source: Source;
}

/** The actual state, read from the system each time and never cached. */
export interface ObservedSandbox {
  name: string;
  /** The instance folder exists */
  exists: boolean;
  /** The spec that was last applied in full */
  applied: SandboxSpec | undefined;
  /** QEMU's process is alive */
  running: boolean;
  /** Stopped by `sbx stop` or for idleness: not restarted in the background, `apply` starts it */
  stopped: boolean;
  /** How the last run ended, when not running */
  exit: { code: number | undefined; at: number } | undefined;
  /** The guest agent answers */
  ready: boolean;
  /** The gateway enforces the network list with this hash; undefined: the egress proxy is closed */
  networkHash: string | undefined;
  /** Key of the warm layer that the instance was cloned from */
  warmKey: string | undefined;
}

export interface Steps {
  /** Bake (or reuse) every layer up to the warm one */
  build: { sandbox: string; spec: SandboxSpec };
  /** Clone from warm, resume, mount */
  create: { sandbox: string; spec: SandboxSpec };
  /** Cold-boot again on the instance's own disk */
  start: { sandbox: string; spec: SandboxSpec };
  stop: { sandbox: string };
  /** Enforce the network list */
  network: { sandbox: string; spec: SandboxSpec };
  /** Write environment, limits of the gateway and other live values, record the spec as applied */
  record: { sandbox: string; spec: SandboxSpec };
  destroy: { sandbox: string };
}

export type Step = { [K in keyof Steps]: { action: K } & Steps[K] }[keyof Steps];

export interface Plan {
  changes: Change[];
  steps: Step[];
}
