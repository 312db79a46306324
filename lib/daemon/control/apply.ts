/** Applies a project's file: approval, desired state, convergence. */
import type { ApplyRequest, ApplyResult, ApproveRequest, PlanResponse, RequestContext } from '../../api/contract.ts';
import { SbxError } from '../../errors.ts';
import { wideningHash } from '../../plan/widening.ts';
import type { ProjectSpec, SandboxSpec } from '../../spec/spec.ts';
import { backgroundDesired, FIRST, type InstanceRecord, type Records } from '../../state/records.ts';
import { checkCapabilities } from './capabilities.ts';
import { refuseLoss } from './clone-work.ts';
import { type Control, type Convergence, converge, statusIn, WAITING } from './control.ts';
import { isDeclined, planLoaded, repositoryNotices, withoutRepositories } from './plan.ts';
import { refusePrivateLoss } from './private-work.ts';

/** @throws SbxError `config-unsupported`, `refused-widening` before anything is done; later what a step throws. */
export async function applyIn(control: Control, request: ApplyRequest, context: RequestContext): Promise<ApplyResult> {
  const project = await control.load(request);
  return control.mutex.take(
    project.dir,
    () => apply(control, { ...request, project }, context),
    () => context.emit({ type: 'progress', sandbox: project.name, message: WAITING }),
  );
}

/** Approves what the user's own command wrote into the file, if everything before it was approved. */
export function approveIn(control: Control, { before, after }: ApproveRequest): Promise<{ approved: boolean }> {
  return control.mutex.take(before.dir, async () => {
    const found = await planLoaded(control, before);
    const declined = isDeclined(control.records, before, found);
    const approved = found.approved || declined;
    const approvedHash = wideningHash(declined ? withoutRepositories(after) : after);
    if (approved) await control.records.putProject({ version: 1, dir: after.dir, approvedHash });
    return { approved };
  });
}

type Loaded = ApplyRequest & { project: ProjectSpec };

async function apply(control: Control, asked: Loaded, context: RequestContext): Promise<ApplyResult> {
  const { records, engine } = control;
  refuseUnsupported(asked.project);
  checkCapabilities(engine, asked.project.sandboxes);
  const { project, found } = await acceptedPart(control, asked);
  const request = { ...asked, project };
  await keepWork(control, request, found);
  refuseLosses(request, found);
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

/** A repository outside of the project is asked for by the layout of the host, not by the file: a sandbox works without it. */
async function acceptedPart(
  control: Control,
  { project, only, acceptWidening }: Loaded,
): Promise<{ project: ProjectSpec; found: PlanResponse }> {
  const found = await planLoaded(control, project, only);
  if (found.approved || acceptWidening === found.wideningHash) return { project, found };
  const rest = withoutRepositories(project);
  const plan = await planLoaded(control, rest, only);
  if (!plan.approved) throw refusedWidening(found);
  return { project: rest, found: { ...plan, notices: [...plan.notices, ...repositoryNotices(found)] } };
}

/** A rebuild and a removal take the disk away. */
async function keepWork(
  control: Control,
  { project, discard = false }: Loaded,
  { steps }: PlanResponse,
): Promise<void> {
  const losing = steps.filter(({ action }) => action === 'create' || action === 'destroy');
  for (const sandbox of new Set(losing.map((step) => step.sandbox))) {
    const record = control.records.get(control.records.idOf(project.dir, sandbox));
    if (record === undefined || discard) continue;
    await refuseLoss(control, record, {});
    await refusePrivateLoss(control, record);
  }
}

/** @throws SbxError `needs-confirmation` */
function refuseLosses({ confirmed = false }: ApplyRequest, { losses }: PlanResponse): void {
  if (confirmed || losses.length === 0) return;
  throw new SbxError('needs-confirmation', 'this change deletes data or ends sessions', {
    why: losses.map(({ message }) => message).join('; '),
    hint: 'look at `sbx plan`, then add --yes',
  });
}

/** The user asked for this file, and it widens nothing or was accepted. Written only if the hash is new. */
async function approve(records: Records, { project, only }: Loaded, found: PlanResponse): Promise<void> {
  const meant = only === undefined || found.widening.length > 0;
  if (!meant || records.project(project.dir).approvedHash === found.wideningHash) return;
  await records.putProject({ version: 1, dir: project.dir, approvedHash: found.wideningHash });
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
