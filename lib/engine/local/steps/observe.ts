/** What is really there, for one sandbox: looked at each time, never remembered. */
import { instancePaths } from '../../../paths.ts';
import { absent } from '../../../plan/plan.ts';
import type { ObservedSandbox } from '../../../plan/types.ts';
import type { InstanceRecord } from '../../../state/records.ts';
import type { HandlerDeps } from './step-deps.ts';

/** A guest that answers does so at once; one that does not is not waited for here */
const ANSWER_MS = 5_000;

export async function observe(
  deps: HandlerDeps,
  id: string,
  name: string,
  signal?: AbortSignal,
): Promise<ObservedSandbox> {
  const record = deps.records.get(id);
  if (record === undefined) return absent(name);
  const paths = instancePaths(deps.home, id);
  const places = paths;
  const vm = deps.driver.find(places);
  return {
    name: record.name,
    exists: true,
    applied: record.applied ?? undefined,
    running: vm !== undefined,
    stopped: record.stopped !== null,
    exit: vm === undefined ? deps.driver.lastExit(places) : undefined,
    ready: vm !== undefined && (await isReady(deps, record, vm.pid, vm.startTime, paths.agent, signal)),
    networkHash: deps.gateway.hashOf(id),
    warmKey: record.image?.key,
  };
}

/** Answers, and went through the resume sequence in this very process. */
async function isReady(
  deps: HandlerDeps,
  record: InstanceRecord,
  pid: number,
  startTime: string,
  agentSocket: string,
  signal?: AbortSignal,
): Promise<boolean> {
  if (record.resumed?.pid !== pid || record.resumed.startTime !== startTime) return false;
  try {
    await deps.guests.connect(record.id, agentSocket, { fresh: false, timeoutMs: ANSWER_MS, signal });
    return true;
  } catch {
    // It waits for space on the host's disk and then goes on: ending it would lose what it is writing.
    return (await deps.driver.health(instancePaths(deps.home, record.id))) === 'disk-full';
  }
}
