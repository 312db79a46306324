/** A project's file against what runs: what would change, and the change itself. */

import type {
  ApplyRequest,
  ApplyResult,
  ApproveRequest,
  PlanRequest,
  PlanResponse,
  RequestContext,
} from '../../api/contract.ts';
import { SbxError } from '../../errors.ts';
import { planProject } from '../../plan/plan.ts';
import type { ObservedSandbox } from '../../plan/types.ts';
import { wideningHash } from '../../plan/widening.ts';
import type { ProjectSpec, SandboxSpec } from '../../spec/spec.ts';
import { backgroundDesired, FIRST, type InstanceRecord, type Records } from '../../state/records.ts';
import { checkCapabilities } from './capabilities.ts';
import { type Control, type Convergence, converge, statusIn } from './control.ts';
import { noticesOf } from './notices.ts';

export async function planOf(
  { engine, records, secrets }: Control,
  { project, only }: PlanRequest,
): Promise<PlanResponse> {
  checkNames(project, only);
  const observed = await observeProject({ engine, records }, project);
  const recordOf = (name: string) => records.get(records.idOf(project.dir, name));
  const networkHash = (spec: SandboxSpec) => engine.networkHash(records.idOf(project.dir, spec.name), spec);
  const desired = (name: string) => recordOf(name)?.desired;
  const found = planProject(project, observed, { mode: 'apply', networkHash, only, desired });
  const widening = found.changes.filter(({ widens }) => widens);
  const hash = wideningHash(project);
  const isSet = (name: string) => (secret: string) => secrets.find(secret, { dir: project.dir, name }) !== undefined;
  const meant = project.sandboxes.filter(({ name }) => only === undefined || only.length === 0 || only.includes(name));
  return {
    ...found,
    notices: noticesOf(meant.map((spec) => ({ spec, isSet: isSet(spec.name) }))),
    desired: recordedDesired(records, project),
    wideningHash: hash,
    widening,
    approved: widening.length === 0 || records.project(project.dir).approvedHash === hash,
  };
}

/** @throws SbxError `config-unsupported`, `refused-widening` before anything is done; later what a step throws. */
export function applyIn(control: Control, request: ApplyRequest, context: RequestContext): Promise<ApplyResult> {
  return control.mutex.take(request.project.dir, () => apply(control, request, context));
}

/** What a person's own command wrote into the file is approved, where everything before it was. */
export function approveIn(control: Control, { before, after }: ApproveRequest): Promise<{ approved: boolean }> {
  return control.mutex.take(before.dir, async () => {
    const { approved } = await planOf(control, { project: before });
    if (approved) await control.records.putProject({ version: 1, dir: after.dir, approvedHash: wideningHash(after) });
    return { approved };
  });
}

async function apply(control: Control, request: ApplyRequest, context: RequestContext): Promise<ApplyResult> {
  const { project } = request;
  const { records, engine } = control;
  refuseUnsupported(project);
  checkCapabilities(engine, project.sandboxes);
  const found = await planOf(control, request);
  if (!found.approved && request.acceptWidening !== found.wideningHash) throw refusedWidening(found);
  await approve(records, request, found);
  const steps: ApplyResult['steps'] = [];
  const bring = async (name: string) => {
    const id = records.idOf(project.dir, name);
    const target = project.sandboxes.find((one) => one.name === name);
    if (target === undefined) return removeIfKnown(control, id, { context, steps });
    const record = await ensureRecord(records, { id, project, target });
    const { power, generation, boot } = record.desired;
    const otherwise = backgroundDesired(record);
    await converge(control, { id, desired: { spec: target, power, generation, boot }, otherwise, context, steps });
  };
  const outcomes = await Promise.allSettled([...new Set(found.steps.map(({ sandbox }) => sandbox))].map(bring));
  await engine.shrinkPool();
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  const own = records.list().filter(({ projectDir }) => projectDir === project.dir);
  return { changes: found.changes, notices: found.notices, steps, sandboxes: own.map((one) => statusIn(control, one)) };
}

/** It was asked for, and no more than before or with a person's consent. Written, and waited for, only where it is another. */
async function approve(records: Records, { project, only }: ApplyRequest, found: PlanResponse): Promise<void> {
  const meant = only === undefined || found.widening.length > 0;
  if (!meant || records.project(project.dir).approvedHash === found.wideningHash) return;
  await records.putProject({ version: 1, dir: project.dir, approvedHash: found.wideningHash });
}

/** What each sandbox of the project is to be now, before an apply. */
function recordedDesired(records: Records, project: ProjectSpec): PlanResponse['desired'] {
  return records
    .list()
    .filter(({ projectDir }) => projectDir === project.dir)
    .map(({ name, desired: { exists, power, generation, boot } }) => ({
      sandbox: name,
      exists,
      power,
      generation,
      boot,
    }));
}

/** The sandboxes that the file names, and those that it no longer does. */
function observeProject(
  { engine, records }: Pick<Control, 'engine' | 'records'>,
  project: ProjectSpec,
): Promise<ObservedSandbox[]> {
  const existing = records.list().filter((record) => record.projectDir === project.dir);
  const names = new Set([...project.sandboxes.map(({ name }) => name), ...existing.map(({ name }) => name)]);
  return Promise.all(
    [...names].map(async (name) => ({ ...(await engine.observe(records.idOf(project.dir, name))), name })),
  );
}

function refusedWidening({ widening }: PlanResponse): SbxError {
  return new SbxError('refused-widening', 'sandbox.toml gives a sandbox more than was approved', {
    why: widening.map((change) => `${change.sandbox}: ${change.path}`).join(', '),
    hint: 'look at `sbx plan`, then run `sbx apply --accept-widening`',
  });
}

/** The desired state is on disk before anything is built, so that a killed daemon leaves nothing unknown. */
async function ensureRecord(
  records: Records,
  { id, project, target }: { id: string; project: ProjectSpec; target: SandboxSpec },
): Promise<InstanceRecord> {
  const known = records.get(id);
  const desired = { ...(known?.desired ?? FIRST), exists: true, power: 'on', stoppedBy: null } as const;
  const record: InstanceRecord =
    known === undefined
      ? {
          version: 1,
          id,
          name: target.name,
          project: project.name,
          projectDir: project.dir,
          target,
          applied: null,
          desired,
          generation: desired.generation,
          boot: desired.boot,
          image: null,
          built: null,
          resumed: null,
          createdAt: new Date().toISOString(),
        }
      : { ...known, target, desired };
  await records.put(record);
  return record;
}

/** The file names the sandbox no longer. */
async function removeIfKnown(
  control: Control,
  id: string,
  { context, steps }: Pick<Convergence, 'context'> & { steps: ApplyResult['steps'] },
): Promise<void> {
  const { records } = control;
  const { desired } = records.require(id);
  const { power, generation, boot } = desired;
  await records.update(id, { desired: { ...desired, exists: false } });
  await converge(control, { id, desired: { spec: undefined, power, generation, boot }, context, steps });
}

function refuseUnsupported(project: ProjectSpec): void {
  const [first, ...more] = project.unsupported;
  if (first === undefined) return;
  throw new SbxError('config-unsupported', `${first.path} is not supported yet`, {
    place: first.source,
    ...(more.length === 0
      ? {}
      : { why: `nor are: ${more.map(({ path, source }) => `${path} (line ${source.line})`).join(', ')}` }),
    hint: 'remove it from the file; nothing of the file is ignored silently',
  });
}

function checkNames(project: ProjectSpec, only: string[] | undefined): void {
  const known = project.sandboxes.map(({ name }) => name);
  const unknown = only?.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new SbxError('not-found', `sandbox.toml names no sandbox "${unknown}"`, {
      hint: `it names: ${known.join(', ')}`,
    });
}
