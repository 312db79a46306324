/** Bodies of the daemon's HTTP API about a project's file: plan, apply, approve. Types only. */

import type { Consent, Loss } from '../plan/loss.ts';
import type { Change, Plan } from '../plan/types.ts';
import type { Power } from '../spec/desired.ts';
import type { ProjectSpec, Source } from '../spec/spec.ts';
import type { SandboxStatus } from './sandbox-status.ts';

/** The project whose file the daemon loads */
export interface ProjectRequest {
  /** Where the search for sandbox.toml begins */
  cwd: string;
  /** The client's whole environment, not the daemon's: settings of npm and pip may refer to any variable */
  env: NodeJS.ProcessEnv;
}

export interface PlanRequest extends ProjectRequest {
  /** Names (bare) to restrict to */
  only?: string[];
  /** Existing sandboxes get new disks, whatever changed */
  rebuild?: boolean;
}

/** Nothing is wrong with the file, and something will not work as it means it to. */
export interface Notice {
  message: string;
  source: Source;
}

export interface PlanResponse extends Plan {
  notices: Notice[];
  /** What the steps take away for good; applied only if `confirmed` */
  losses: Loss[];
  /** The recorded desired state of each sandbox of the project: a stop, reset or rm that is not done yet shows here */
  desired: { sandbox: string; exists: boolean; power: Power; generation: number; boot: number }[];
  /** Hash of everything in this spec that widens; what `acceptWidening` must repeat */
  wideningHash: string;
  /** The approved hash equals `wideningHash`, or nothing widens */
  approved: boolean;
  /** The changes that need approval */
  widening: Change[];
  /** Nothing of this project was ever approved */
  first: boolean;
  /** What is done instead, where everything but a repository outside of the project was approved. Absent: nothing was declined */
  declined?: Pick<PlanResponse, 'changes' | 'steps' | 'losses' | 'notices'>;
}

export interface ApplyRequest extends PlanRequest, Consent {
  /** The `wideningHash` that the person accepted */
  acceptWidening?: string;
}

export interface ApplyResult {
  notices: Notice[];
  changes: Change[];
  steps: { sandbox: string; action: string; durationMs: number }[];
  sandboxes: SandboxStatus[];
}

export interface ApproveRequest {
  /** The project before a person's own command changed its file */
  before: ProjectSpec;
  after: ProjectSpec;
}
