/** What the parts of the service share: the sandboxes as they are, and the way to make them what they should be. */
import type { SandboxSpec } from '../config/spec.ts';
import type { Supervisor } from '../machines/supervisor.ts';
import { instancePaths } from '../paths.ts';
import type { Secrets } from '../secrets/secrets.ts';
import type { ApplyResult, RequestContext, SandboxStatus } from './api.ts';
import type { DiskWatch } from './disk-watch.ts';
import type { HandlerDeps } from './handler-deps.ts';
import { placesOf } from './machine-deps.ts';
import { type Listeners, report } from './progress.ts';
import type { InstanceRecord } from './records.ts';
import { statusOf } from './status.ts';
import type { Turns } from './turns.ts';
import type { Uses } from './uses.ts';

export interface Core {
  deps: HandlerDeps;
  supervisor: Supervisor;
  secrets: Secrets;
  disks: DiskWatch;
  listeners: Listeners;
  turns: Turns;
  uses: Uses;
}

/** A row of `sbx ls`. */
export function statusIn({ deps, supervisor, disks }: Core, record: InstanceRecord): SandboxStatus {
  return statusOf({
    record,
    vm: deps.driver.find(placesOf(instancePaths(deps.home, record.id))),
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
