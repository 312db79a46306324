/** Applies a project's file: approval, desired state, convergence. */
import { relative } from 'node:path';
import type { RequestContext } from '../../api/contract.ts';
import type { ApplyRequest, ApplyResult, ApproveRequest, PlanResponse } from '../../api/project-contract.ts';
import { shownFile } from '../../config/load/templates.ts';
import { SbxError } from '../../errors.ts';
import { refuseApproval } from '../../organisation/check-project.ts';
import { explainRequest } from '../../plan/explain.ts';
import { refuseLosses } from '../../plan/loss.ts';
import { wideningHash } from '../../plan/widening.ts';
import type { ProjectSpec, SandboxSpec } from '../../spec/spec.ts';
import { backgroundDesired, FIRST, type InstanceRecord, nextGeneration, type Records } from '../../state/records.ts';
import { type Control, type Convergence, converge, statusIn, WAITING } from '../control/control.ts';
import { checkCapabilities } from './capabilities.ts';
import { pinImages } from './pin-images.ts';
import { isDeclined, planLoaded, repositoryNotices, withoutRepositories } from './plan.ts';

/** @throws SbxError `config-unsupported`, `refused-widening` before anything is done; later what a step throws. */
export async function applyIn(control: Control, request: ApplyRequest, context: RequestContext): Promise<ApplyResult> {
  const { only, rebuild } = request;
  const project = await pinImages(control, await control.load(request), { only, rebuild, signal: context.signal });
  return control.mutex.take(project.dir, () => apply(control, { ...request, project }, context), {
    onWait: () => context.emit({ type: 'progress', sandbox: project.name, message: WAITING }),
    signal: context.signal,
  });
}

/** Approves what the user's own command wrote into the file, if everything before it was approved. */
export function approveIn(control: Control, { before, after }: ApproveRequest): Promise<{ approved: boolean }> {
  return control.mutex.take(before.dir, async () => {
    const found = await planLoaded(control, before);
    const declined = isDeclined(control.records, before, found);
    const isNever = control.organisation().neverApproves !== undefined;
    const approved = !isNever && (found.approved || declined);
    const approvedHash = wideningHash(declined ? withoutRepositories(after) : after);
    if (approved) await control.records.putProject({ version: 1, dir: after.dir, approvedHash });
    return { approved };
  });
}

type Loaded = ApplyRequest & { project: ProjectSpec };

async function apply(control: Control, asked: Loaded, context: RequestContext): Promise<ApplyResult> {
  const { records, engine } = control;
  checkCapabilities(engine, asked.project.sandboxes);
  const { project, found } = await acceptedPart(control, asked);
  const request = { ...asked, project };
  refuseLosses(found.losses, request, 'sbx apply');
  await approve(records, request, found);
  const steps: ApplyResult['steps'] = [];
  const bring = async (name: string) => {
    const id = records.idOf(project.dir, name);
    const target = project.sandboxes.find((one) => one.name === name);
    if (target === undefined) return removeIfKnown(control, id, { context, steps });
    const record = await ensureRecord(records, { id, project, target });
    const generation = request.rebuild ? nextGeneration(record) : record.desired.generation;
    if (request.rebuild) await records.update(id, { desired: { ...record.desired, generation } });
    const desired = { ...record.desired, spec: target, generation };
    // A part of an installation may be applied by then: going back from it would be a new disk.
    const otherwise = () => backgroundDesired({ ...record, applied: records.get(id)?.applied ?? record.applied });
    try {
      await converge(control, { id, desired, otherwise, context, steps });
    } catch (error) {
      if (request.rebuild) await takeBack(records, record);
      throw error;
    }
  };
  const outcomes = await Promise.allSettled([...new Set(found.steps.map(({ sandbox }) => sandbox))].map(bring));
  await engine.shrinkPool();
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  const own = records.list().filter(({ projectDir }) => projectDir === project.dir);
  return { changes: found.changes, notices: found.notices, steps, sandboxes: own.map((one) => statusIn(control, one)) };
}

/** A repository outside of the project is asked for by the layout of the host, not by the file: a sandbox works without it. */
async function acceptedPart(
  control: Control,
  { project, only, rebuild, confirmed = false, discard = false, acceptWidening }: Loaded,
): Promise<{ project: ProjectSpec; found: PlanResponse }> {
  const options = { ...(only && { only }), ...(rebuild && { rebuild }), confirmed, discard };
  const found = await planLoaded(control, project, options);
  if (found.approved) return { project, found };
  if (acceptWidening === found.wideningHash) {
    refuseApproval(control.organisation(), 'what this file adds');
    return { project, found };
  }
  const rest = withoutRepositories(project);
  const plan = await planLoaded(control, rest, options);
  if (!plan.approved) throw refusedWidening(found, project.dir);
  return { project: rest, found: { ...plan, notices: [...plan.notices, ...repositoryNotices(found)] } };
}

/** The user asked for this file, and it widens nothing or was accepted. Written only if the hash is new. */
async function approve(records: Records, { project, only }: Loaded, found: PlanResponse): Promise<void> {
  const meant = only === undefined || found.widening.length > 0;
  if (!meant || records.project(project.dir).approvedHash === found.wideningHash) return;
  await records.putProject({ version: 1, dir: project.dir, approvedHash: found.wideningHash });
}

function refusedWidening({ widening, first }: PlanResponse, dir: string): SbxError {
  const what = first ? 'asks for access that needs your approval' : 'gives a sandbox more than was approved';
  const shown = (file: string) => shownFile(file, (path) => relative(dir, path));
  return new SbxError('refused-widening', `sandbox.toml ${what}`, {
    why: widening.map((change) => explainRequest(change, shown)).join('; '),
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

/** A new disk that was asked for and not reached is not made in the background. */
async function takeBack(records: Records, { id, desired }: InstanceRecord): Promise<void> {
  if (records.get(id) !== undefined) await records.update(id, { desired });
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
