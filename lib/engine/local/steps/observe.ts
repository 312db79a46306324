/** Reads the real state of one sandbox: at each call, never cached. */
import { instancePaths } from '../../../paths.ts';
import { absent } from '../../../plan/plan.ts';
import type { ObservedSandbox } from '../../../plan/types.ts';
import type { InstanceRecord } from '../../../state/records.ts';
import type { VmProcess } from '../../../vm/driver.ts';
import { readSaved } from '../suspend/saved-state.ts';
import type { VmDeps } from '../vm/deps.ts';

/** A guest that answers does so at once */
const ANSWER_MS = 5_000;

export async function observe(deps: VmDeps, id: string, signal?: AbortSignal): Promise<ObservedSandbox> {
  const record = deps.records.get(id);
  if (record === undefined) return absent(id);
  const paths = instancePaths(deps.home, id);
  const vm = deps.driver.find(paths);
  return {
    name: record.name,
    exists: true,
    applied: record.applied ?? undefined,
    running: vm !== undefined,
    power: record.desired.power,
    generation: record.generation,
    boot: record.boot,
    suspended: vm === undefined ? readSaved(paths)?.size : undefined,
    exit: vm === undefined ? deps.driver.lastExit(paths) : undefined,
    size: vm !== undefined && isFinalized(record, vm) ? record.resumed?.size : undefined,
    ready: vm !== undefined && (await isReady(deps, record, vm, signal)),
    networkHash: deps.gateway.hashOf(id),
    warmKey: record.image?.key,
  };
}

/** The guest agent answers, and this very process went through the identity sequence. */
async function isReady(deps: VmDeps, record: InstanceRecord, vm: VmProcess, signal?: AbortSignal): Promise<boolean> {
  if (!isFinalized(record, vm)) return false;
  const paths = instancePaths(deps.home, record.id);
  try {
    await deps.guests.connect(record.id, paths.agent, { fresh: false, timeoutMs: ANSWER_MS, signal });
    return true;
  } catch {
    // Paused until the host's disk has space, it continues then: ending it would lose what it is writing.
    return (await deps.driver.health(paths)) === 'disk-full';
  }
}

export function isFinalized({ resumed }: InstanceRecord, vm: VmProcess): boolean {
  return resumed?.pid === vm.pid && resumed.startTime === vm.startTime;
}
