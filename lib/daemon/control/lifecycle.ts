/** stop, start, reset, remove: what a person asks of one sandbox, whatever its file says. */

import type { RequestContext, SandboxStatus } from '../../api/contract.ts';
import { execute } from '../../engine/local/steps/steps.ts';
import { SbxError } from '../../errors.ts';
import type { Step } from '../../plan/types.ts';
import type { SandboxSpec } from '../../spec/spec.ts';
import type { InstanceRecord } from '../../state/records.ts';
import { type Core, converge, statusIn } from './control.ts';

export async function stopIn(core: Core, id: string, context: RequestContext): Promise<SandboxStatus> {
  return inTurn(core, id, (record) => stop(core, { record, why: 'user', context }));
}

/** Unless it was used, or anything was done to it, before its turn came. */
export async function stopIdle(core: Core, id: string, stillIdle: (record: InstanceRecord) => boolean): Promise<void> {
  await inTurn(core, id, async (record) => {
    if (!stillIdle(record)) return;
    await stop(core, { record, why: 'idle', context: { signal: new AbortController().signal, emit: () => {} } });
  });
}

interface Stop {
  record: InstanceRecord;
  why: 'user' | 'idle';
  context: RequestContext;
}

async function stop(core: Core, { record, why, context }: Stop): Promise<void> {
  const { id, name: sandbox, applied } = record;
  // A start in the background that was still under way would write the opposite after us.
  await takeOut(core, { id, sandbox, context });
  await core.deps.records.update(id, { stopped: why });
  await runSteps(core, { id, steps: [{ action: 'stop', sandbox }], context });
  await core.deps.pool.shrink();
  if (applied !== null) core.supervisor.watch(id, applied);
}

export async function startIn(core: Core, id: string, context: RequestContext): Promise<SandboxStatus> {
  return inTurn(core, id, (record) => converge(core, { id, target: requireApplied(record), context }));
}

/** Back to the warm base. */
export async function resetIn(core: Core, id: string, context: RequestContext): Promise<SandboxStatus> {
  return inTurn(core, id, async (record) => {
    const spec = requireApplied(record);
    const sandbox = record.name;
    const steps = (['build', 'create', 'record'] as const).map((action): Step => ({ action, sandbox, spec }));
    await runSteps(core, { id, steps, context });
    core.supervisor.watch(id, spec);
  });
}

export async function removeIn(core: Core, id: string, context: RequestContext): Promise<void> {
  const { records, pool } = core.deps;
  await core.turns.take(records.require(id).projectDir, async () => {
    const steps: Step[] = [{ action: 'destroy', sandbox: records.require(id).name }];
    await runSteps(core, { id, steps, context });
    core.uses.forget(id);
    await pool.shrink();
  });
}

async function inTurn(core: Core, id: string, work: (record: InstanceRecord) => Promise<void>): Promise<SandboxStatus> {
  const { records } = core.deps;
  return core.turns.take(records.require(id).projectDir, async () => {
    await work(records.require(id));
    return statusIn(core, records.require(id));
  });
}

interface Run {
  id: string;
  steps: Step[];
  context: RequestContext;
}

/** By themselves: nothing is planned, and nothing else is done to the sandbox meanwhile. */
async function runSteps(core: Core, { id, steps, context }: Run): Promise<void> {
  await takeOut(core, { id, sandbox: steps[0]?.sandbox ?? '', context });
  for (const step of steps) {
    const { sandbox, action } = step;
    context.emit({ type: 'step', sandbox, action, status: 'started' });
    await execute(core.deps, step, {
      id,
      signal: context.signal,
      onProgress: (message) => context.emit({ type: 'progress', sandbox, message }),
      onLine: (line) => context.emit({ type: 'output', sandbox, line }),
    });
    context.emit({ type: 'step', sandbox, action, status: 'done' });
  }
}

/** Of the supervisor's hands. A step under way may take a while to come to its end. */
async function takeOut(
  { supervisor }: Core,
  { id, sandbox, context }: { id: string; sandbox: string; context: RequestContext },
): Promise<void> {
  if (supervisor.busy(id)) context.emit({ type: 'progress', sandbox, message: 'waiting for what is being done to it' });
  await supervisor.forget(id);
}

function requireApplied(record: InstanceRecord): SandboxSpec {
  if (record.applied === null)
    throw new SbxError('busy', `${record.name} was never applied in full`, { hint: 'run `sbx apply` in its project' });
  return record.applied;
}
