/** stop, suspend, start, restart, reset, rm and idle stop: each changes the desired state of one sandbox, and the supervisor makes it so. */
import type { RequestContext } from '../../api/contract.ts';
import type { SandboxStatus } from '../../api/sandbox-status.ts';
import { SbxError } from '../../errors.ts';
import { type Consent, refuseLosses } from '../../plan/loss.ts';
import type { Desired } from '../../spec/desired.ts';
import { backgroundDesired, type DesiredRecord, type InstanceRecord, nextGeneration } from '../../state/records.ts';
import { workThroughDaemon } from '../activity/what-runs.ts';
import { type Control, converge, statusIn } from '../control/control.ts';
import { type LossRequest, lossesOf } from '../work/losses.ts';
import { type Turn, takeTurn } from './turn.ts';

/** Of a verb that ends the VM */
type Ending = RequestContext & Consent;

type Change = (record: InstanceRecord) => Partial<DesiredRecord>;

const off =
  (stoppedBy: 'user' | 'idle'): Change =>
  () => ({ power: 'off', stoppedBy });
const suspended =
  (stoppedBy: 'user' | 'idle'): Change =>
  () => ({ power: 'suspended', stoppedBy });
// Above what was reached as well: a reset that was taken back may have been reached all the same.
const boot: Change = ({ desired, boot: reached }) => ({
  power: 'on',
  stoppedBy: null,
  boot: Math.max(desired.boot, reached) + 1,
});
const reset: Change = (record) => ({ power: 'on', stoppedBy: null, generation: nextGeneration(record) });
const remove: Change = () => ({ exists: false });

/** @throws SbxError `needs-confirmation`, as of all verbs that end a VM */
export function stopIn(control: Control, id: string, context: Ending): Promise<SandboxStatus> {
  const mayBegin = (record: InstanceRecord) => refuseUnasked(control, record, { ...context, losesDisk: false });
  return inTurn(control, { id, context, mayBegin }, (record) =>
    reach(control, record, { change: off('user'), context, interrupt: true }),
  );
}

/** What runs inside stays. A sandbox that does not run stays as it is. @throws SbxError `needs-confirmation`: a command of a client would be cut off */
export function suspendIn(control: Control, id: string, context: Ending): Promise<SandboxStatus> {
  const mayBegin = async (record: InstanceRecord) => {
    requireApplied(record);
    await refuseCutOffIn(control, record, context);
  };
  return inTurn(control, { id, context, mayBegin }, async (record) => {
    if (control.engine.status(id).vm === undefined) return;
    await reach(control, record, { change: suspended('user'), context, interrupt: true });
  });
}

async function refuseCutOffIn({ activity }: Control, record: InstanceRecord, consent: Consent): Promise<void> {
  const runs = consent.confirmed ? undefined : await workThroughDaemon(activity, record);
  if (runs === undefined) return;
  refuseLosses([{ sandbox: record.name, kind: 'session', message: `${record.name}: cuts off ${runs}` }], consent);
}

/** Unless it was used, or changed, before its turn came. */
export async function stopIdle(
  control: Control,
  id: string,
  stillIdle: (record: InstanceRecord) => boolean,
): Promise<void> {
  const context = { signal: new AbortController().signal, emit: () => {} };
  await inTurn(control, { id, context }, async (record) => {
    if (stillIdle(record)) await reach(control, record, { change: whenIdle(record), context, interrupt: true });
  });
}

function whenIdle({ applied }: InstanceRecord): Change {
  return applied?.lifecycle.idleAction === 'suspend' ? suspended('idle') : off('idle');
}

/** A running sandbox stays as it is; one that is suspended continues. */
export function startIn(control: Control, id: string, context: RequestContext): Promise<SandboxStatus> {
  return inTurn(control, { id, context }, (record) => {
    requireApplied(record);
    const { vm, saved } = control.engine.status(id);
    const isDown = vm === undefined && saved === undefined;
    const change: Change = isDown ? boot : () => ({ power: 'on', stoppedBy: null });
    return reach(control, record, { change, context });
  });
}

/** On its own disk. */
export function restartIn(control: Control, id: string, context: Ending): Promise<SandboxStatus> {
  const mayBegin = (record: InstanceRecord) => {
    requireApplied(record);
    return refuseUnasked(control, record, { ...context, losesDisk: false });
  };
  return inTurn(control, { id, context, mayBegin }, (record) =>
    reach(control, record, { change: boot, context, interrupt: true }),
  );
}

/** Back to the warm base. A reset that fails or is cancelled is taken back. */
export function resetIn(control: Control, id: string, context: Ending): Promise<SandboxStatus> {
  const mayBegin = (record: InstanceRecord) => {
    requireApplied(record);
    return refuseUnasked(control, record, { ...context, losesDisk: true });
  };
  return inTurn(control, { id, context, mayBegin }, (record) =>
    reach(control, record, { change: reset, context, interrupt: true, revert: true }),
  );
}

/** A removal that fails or is cancelled is taken back. */
export async function removeIn(
  control: Control,
  id: string,
  { kept = false, ...context }: Ending & { kept?: boolean },
): Promise<void> {
  const { activity, engine } = control;
  const mayBegin = (record: InstanceRecord) => refuseUnasked(control, record, { ...context, losesDisk: true });
  await takeTurn(control, { id, context, mayBegin }, async (record) => {
    await reach(control, record, { change: remove, context, interrupt: true, revert: true });
    activity.forget(id);
    if (kept) await engine.removeKept(id);
  });
}

/** @throws SbxError `needs-confirmation` */
async function refuseUnasked(control: Control, record: InstanceRecord, request: LossRequest): Promise<void> {
  refuseLosses(await lossesOf(control, record, request), request);
}

interface Request {
  change: Change;
  context: RequestContext;
  /** Aborts a step that runs in the background */
  interrupt?: boolean;
  /** Restores the earlier desired state when it is not reached */
  revert?: boolean;
}

/** Writes the desired state down, then makes it so: a daemon that is killed in between leaves the rest to the next one. */
async function reach(control: Control, before: InstanceRecord, request: Request): Promise<void> {
  const { records, supervisor, engine } = control;
  const { change, context, interrupt = false, revert = false } = request;
  const { id, name: sandbox } = before;
  const after = await records.update(id, { desired: { ...before.desired, ...change(before) } });
  if (interrupt && supervisor.busy(id))
    context.emit({ type: 'progress', sandbox, message: 'waiting for the step under way' });
  try {
    const desired = desiredOf(after);
    const otherwise = () => backgroundDesired(revert ? before : after);
    await converge(control, { id, desired, context, interrupt, otherwise });
  } catch (error) {
    if (revert && records.get(id) !== undefined) await records.update(id, { desired: before.desired });
    throw error;
  }
  await engine.shrinkPool();
}

/** A sandbox that was never applied in full can be stopped and removed all the same. */
function desiredOf({ applied, target, desired }: InstanceRecord): Desired {
  const { exists, power, generation, boot } = desired;
  return { spec: exists ? (applied ?? target) : undefined, power, generation, boot };
}

function inTurn(control: Control, turn: Turn, work: (record: InstanceRecord) => Promise<void>): Promise<SandboxStatus> {
  return takeTurn(control, turn, async (record) => {
    await work(record);
    return statusIn(control, control.records.require(turn.id));
  });
}

/** @throws SbxError `busy` */
function requireApplied({ applied, name }: InstanceRecord): void {
  if (applied === null)
    throw new SbxError('busy', `the last apply of ${name} did not finish`, { hint: 'run `sbx apply` in its project' });
}
