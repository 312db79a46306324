/** What the parts of the service share: the sandboxes as they are, and the way to make them what they should be. */

import type { ApplyResult, RequestContext, SandboxStatus } from '../../api/contract.ts';
import type { ActivityTracker } from '../../engine/local/guests/activity.ts';
import type { HandlerDeps } from '../../engine/local/steps/step-deps.ts';
import type { DiskWatch } from '../../engine/local/vm/disk-watch.ts';
import { instancePaths } from '../../paths.ts';
import type { Supervisor } from '../../reconcile/supervisor.ts';
import type { Secrets } from '../../secrets/secrets.ts';
import type { SandboxSpec } from '../../spec/spec.ts';
import type { InstanceRecord } from '../../state/records.ts';
import { type Listeners, report } from './progress.ts';
import type { ProjectMutex } from './project-mutex.ts';
import { statusOf } from './status.ts';

export interface Core {
  deps: HandlerDeps;
  supervisor: Supervisor;
  secrets: Secrets;
  disks: DiskWatch;
  listeners: Listeners;
  turns: ProjectMutex;
  uses: ActivityTracker;
}

/** A row of `sbx ls`. */
export function statusIn({ deps, supervisor, disks }: Core, record: InstanceRecord): SandboxStatus {
  return statusOf({
    record,
    vm: deps.driver.find(instancePaths(deps.home, record.id)),
    connected: deps.guests.get(record.id) !== undefined,
    sessions: deps.guests.sessionsOf(record.id),
    busy: supervisor.busy(record.id),
    doorOpen: deps.gateway.hashOf(record.id) !== undefined,
    diskFull: disks.isWaiting(record.id),
    error: supervisor.lastError(record.id),
    now: new Date().toISOString(),
  });
}

export interface Convergence {
  id: string;
  /** Undefined: it is to be gone */
  target: SandboxSpec | undefined;
  context: RequestContext;
  /** The steps that were done are added */
  steps?: ApplyResult['steps'];
}

/** Resolves when the sandbox is what it should be; the client hears of every step. */
export async function converge(
  { supervisor, listeners }: Core,
  { id, target, context, steps = [] }: Convergence,
): Promise<void> {
  const leave = listeners.add(id, context.emit);
  try {
    await supervisor.converge(id, target, {
      signal: context.signal,
      onStep: (event) => report(event, context, steps),
    });
  } finally {
    leave();
  }
}
