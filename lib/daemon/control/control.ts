/** What the parts of the control plane share, and how a request changes a desired state. */

import type { RequestContext } from '../../api/contract.ts';
import type { ApplyResult, ProjectRequest } from '../../api/project-contract.ts';
import type { SandboxStatus } from '../../api/sandbox-status.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Log } from '../../log.ts';
import type { Organisation } from '../../organisation/policy-file.ts';
import type { Home } from '../../paths.ts';
import type { Supervisor } from '../../reconcile/supervisor.ts';
import type { Secrets } from '../../secrets/secrets.ts';
import type { HostAgents } from '../../signing/host-agents.ts';
import type { Desired } from '../../spec/desired.ts';
import type { ProjectSpec } from '../../spec/spec.ts';
import type { InstanceRecord, Records } from '../../state/records.ts';
import type { ActivityTracker } from '../activity/activity.ts';
import { statusOf } from '../status/status.ts';
import { type Listeners, report } from './progress.ts';
import type { ProjectMutex } from './project-mutex.ts';

export interface Control {
  home: Home;
  log: Log;
  records: Records;
  secrets: Secrets;
  agents: HostAgents;
  engine: Engine;
  supervisor: Supervisor;
  listeners: Listeners;
  mutex: ProjectMutex;
  /** Loads a project's file, and holds it to the organisation's policy. @throws SbxError: see `loadProject`; `refused-policy` */
  load: (request: ProjectRequest) => Promise<ProjectSpec>;
  /** The organisation's policy as it is now. @throws SbxError `config-invalid` */
  organisation: () => Organisation;
  activity: ActivityTracker;
}

/** While another request of the project comes first */
export const WAITING = 'waiting for another request of this project';

/** A row of `sbx ls`. */
export function statusIn({ engine, supervisor }: Control, record: InstanceRecord): SandboxStatus {
  return statusOf({
    ...engine.status(record.id),
    record,
    busy: supervisor.busy(record.id),
    error: supervisor.lastError(record.id),
    now: new Date().toISOString(),
  });
}

export interface Convergence {
  id: string;
  desired: Desired;
  context: RequestContext;
  /** Aborts a step that runs in the background */
  interrupt?: boolean;
  /** The desired state after a failure, by what was done until then */
  otherwise?: () => Desired | undefined;
  /** Receives the steps that were done */
  steps?: ApplyResult['steps'];
}

/** Resolves when the sandbox is in its desired state; the client receives an event for each step. */
export async function converge(
  { supervisor, listeners }: Control,
  { id, desired, context, interrupt, otherwise, steps = [] }: Convergence,
): Promise<void> {
  const remove = listeners.add(id, context.emit);
  try {
    await supervisor.converge(id, desired, {
      signal: context.signal,
      interrupt,
      ...(otherwise && { otherwise }),
      onStep: (event) => report(event, context, steps),
    });
  } finally {
    remove();
  }
}
