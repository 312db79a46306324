/** Plans a project's file against what runs. */
import type { PlanRequest, PlanResponse } from '../../api/project-contract.ts';
import { SbxError } from '../../errors.ts';
import { summaryOf } from '../../organisation/check-project.ts';
import type { Organisation } from '../../organisation/policy-file.ts';
import { type Consent, endedBy, type Loss } from '../../plan/loss.ts';
import { planProject } from '../../plan/plan.ts';
import { refuseSmallerDisk } from '../../plan/smaller-disk.ts';
import type { ObservedSandbox, Step } from '../../plan/types.ts';
import { wideningHash } from '../../plan/widening.ts';
import type { ProjectSpec, SandboxSpec } from '../../spec/spec.ts';
import { nextGeneration, type Records } from '../../state/records.ts';
import { trackedHidden } from '../../workspace/git/tracked-hidden.ts';
import type { Control } from '../control/control.ts';
import { lossesOf } from '../work/losses.ts';
import { noticesOf } from './notices.ts';

/** @throws SbxError: those of `loadProject`, `not-found`, `config-invalid` */
export async function planOf(control: Control, request: PlanRequest): Promise<PlanResponse> {
  const project = await control.load(request);
  const options = { ...(request.only && { only: request.only }), ...(request.rebuild && { rebuild: request.rebuild }) };
  const found = await planLoaded(control, project, options);
  if (!isDeclined(control.records, project, found)) return found;
  const { changes, steps, losses, notices } = await planLoaded(control, withoutRepositories(project), options);
  const declined = { changes, steps, losses, notices: [...notices, ...repositoryNotices(found)] };
  return { ...found, declined };
}

/** The user went on without the repository: that is not asked again. */
export function isDeclined(records: Records, project: ProjectSpec, { approved }: PlanResponse): boolean {
  return !approved && records.project(project.dir).approvedHash === wideningHash(withoutRepositories(project));
}

export function withoutRepositories(project: ProjectSpec): ProjectSpec {
  const sandboxes = project.sandboxes.map((spec) => {
    const { repository: _, repositoryTop: __, ...workspace } = spec.workspace;
    return { ...spec, workspace };
  });
  return { ...project, sandboxes };
}

export function repositoryNotices({ widening }: PlanResponse): PlanResponse['notices'] {
  const asked = widening.filter(({ path }) => path === 'workspace.repository');
  return asked.map(({ to, source }) => ({
    message: `git does not work in the sandbox: its repository ${to} is outside of the project and was not approved. Run \`sbx apply --accept-widening\`, or set git_repository = false under [workspace]`,
    source,
  }));
}

type Planned = Consent & Pick<PlanRequest, 'only' | 'rebuild'>;

/** `losses` is what was not agreed to. */
export async function planLoaded(
  control: Control,
  project: ProjectSpec,
  { only, rebuild = false, ...consent }: Planned = {},
): Promise<PlanResponse> {
  const { engine, records, secrets } = control;
  checkNames(project, only);
  const observed = await observeProject({ engine, records }, project);
  const recordOf = (name: string) => records.get(records.idOf(project.dir, name));
  const networkHash = (spec: SandboxSpec) => engine.networkHash(records.idOf(project.dir, spec.name), spec);
  const desired = (name: string) => {
    const record = recordOf(name);
    return record && rebuild ? { ...record.desired, generation: nextGeneration(record) } : record?.desired;
  };
  const options = { mode: 'apply', networkHash, desired } as const;
  const found = planProject(project, observed, { ...options, only });
  refuseSmallerDisk(found.changes);
  // What is approved is the whole file, so all that it asks for is shown.
  const whole = found.changes.some(({ widens }) => widens) ? planProject(project, observed, options) : found;
  const widening = whole.changes.filter(({ widens }) => widens);
  const hash = wideningHash(project);
  const isSet = (name: string) => (secret: string) => secrets.find(secret, { dir: project.dir, name }) !== undefined;
  const meant = project.sandboxes.filter(({ name }) => only === undefined || only.length === 0 || only.includes(name));
  return {
    ...found,
    notices: [
      ...organisationNotices(control.organisation()),
      ...(project.warnings ?? []),
      ...noticesOf(
        await Promise.all(
          meant.map(async (spec) => ({
            spec,
            isSet: isSet(spec.name),
            unsigned: spec.git && (await control.agents.problemOf(spec.git.signingKey)),
            trackedHidden: await deletedInside(spec),
          })),
        ),
      ),
    ],
    losses: await lossesIn(control, { dir: project.dir, steps: found.steps, consent }),
    desired: recordedDesired(records, project),
    wideningHash: hash,
    widening,
    first: records.project(project.dir).approvedHash === null,
    approved: widening.length === 0 || records.project(project.dir).approvedHash === hash,
  };
}

/** What no file can change is said before anything else. */
function organisationNotices(policy: Organisation): PlanResponse['notices'] {
  const text = summaryOf(policy);
  return text === undefined ? [] : [{ message: `the policy of this machine holds: ${text}`, source: 'default' }];
}

interface Losing {
  dir: string;
  steps: Step[];
  consent: Consent;
}

async function lossesIn(control: Control, { dir, steps, consent }: Losing): Promise<Loss[]> {
  const { records } = control;
  const losses = endedBy(steps).map(({ sandbox, losesDisk }) => {
    const record = records.get(records.idOf(dir, sandbox));
    return record === undefined ? [] : lossesOf(control, record, { ...consent, losesDisk });
  });
  return (await Promise.all(losses)).flat();
}

/** A clone refuses hidden files that are in the history. */
async function deletedInside({ workspace: { path, mode, hide } }: SandboxSpec): Promise<string[]> {
  return mode === 'clone' ? [] : trackedHidden(path, hide);
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

function checkNames(project: ProjectSpec, only: string[] | undefined): void {
  const known = project.sandboxes.map(({ name }) => name);
  const unknown = only?.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new SbxError('not-found', `sandbox.toml has no sandbox "${unknown}"`, {
      hint: `it names: ${known.join(', ')}`,
    });
}
