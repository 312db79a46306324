/** The words of a plan: pure data, the JSON of `sbx plan --json`. */
import type { SandboxSpec, Source } from '../spec/spec.ts';

export type Effect = 'create' | 'live' | 'restart' | 'rebuild' | 'destroy' | 'none';

export interface Change {
  sandbox: string;
  /** Dotted path of the field, or `.` for the sandbox as a whole */
  path: string;
  from: unknown;
  to: unknown;
  effect: Effect;
  /** Gives the sandbox more than was approved */
  widens: boolean;
  source: Source;
}

/** What is really there, found by looking: never remembered. */
export interface ObservedSandbox {
  name: string;
  /** The instance folder exists */
  exists: boolean;
  /** The spec that was last applied in full */
  applied: SandboxSpec | undefined;
  /** QEMU's process is alive */
  running: boolean;
  /** By its user (`sbx stop`) or since nobody used it: not restarted by itself, `apply` starts it */
  stopped: boolean;
  /** How the last run ended, when not running */
  exit: { code: number | undefined; at: number } | undefined;
  /** The guest agent answers */
  ready: boolean;
  /** The gateway serves the network list with this hash; undefined: door shut */
  networkHash: string | undefined;
  /** The warm layer's key the instance was cloned from */
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
  /** Put the network list into force */
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
