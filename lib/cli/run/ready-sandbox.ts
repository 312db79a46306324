/** Applies one sandbox if needed and returns it with its agent. */
import type { SandboxState, SandboxStatus } from '../../api/sandbox-status.ts';
import { SbxError } from '../../errors.ts';
import type { AgentSpec, ProjectSpec } from '../../spec/spec.ts';
import { type ApplyOptions, applyProject } from '../command/apply-project.ts';
import { projectAt, readProject, resolveSandbox, startFirst } from '../command/project.ts';
import { runningSessions } from './sessions.ts';

export interface ReadySandbox {
  sandbox: SandboxStatus;
  agent: AgentSpec & { name: string | undefined };
}

interface Options extends Omit<ApplyOptions, 'only'> {
  name: string | undefined;
  /** Attach to a running session: changes that would end it wait */
  join: boolean;
}

/** Steps that end the running VM */
const ENDING: readonly string[] = ['stop', 'start', 'create', 'destroy'];

/** @throws SbxError `ambiguous-name`, `not-found`, and the errors of `sbx apply`. */
export async function readySandbox(options: Options): Promise<ReadySandbox> {
  const { client, context } = options;
  const wanted = await findWanted(options);
  if ('sandbox' in wanted) {
    const { agent } = (await client.inspect(wanted.sandbox.id)).spec;
    return { sandbox: await started(options, wanted.sandbox), agent };
  }
  const { project, name } = wanted;
  const agent = project.sandboxes.find((one) => one.name === name)?.agent;
  const plan = await client.plan({ ...projectAt(context, project.dir), only: [name] });
  const { steps } = plan.declined ?? plan;
  const ending = steps.some(({ action }) => ENDING.includes(action));
  if (steps.length > 0 && !(ending && (await isBusy(options, project, name))))
    await applyProject({ ...options, cwd: project.dir, only: [name] });
  const sandbox = (await client.list()).find((one) => one.projectDir === project.dir && one.name === name);
  if (sandbox === undefined || agent === undefined)
    throw new SbxError('not-found', `no sandbox named "${name}"`, { hint: '`sbx ls` lists the sandboxes' });
  return { sandbox: await started(options, sandbox), agent };
}

const DOWN: readonly SandboxState[] = ['stopped', 'suspended', 'starting', 'building'];

async function started({ client, view }: Options, sandbox: SandboxStatus): Promise<SandboxStatus> {
  return DOWN.includes(sandbox.state) ? startFirst({ client, view, sandbox }) : sandbox;
}

/** @throws SbxError `busy`: the change would end a running session. */
async function isBusy({ client, view, join }: Options, project: ProjectSpec, name: string): Promise<boolean> {
  const sandbox = (await client.list()).find((one) => one.projectDir === project.dir && one.name === name);
  if (sandbox?.state !== 'running') return false;
  const running = await runningSessions({ client, sandbox });
  if (running.length === 0) return false;
  if (!join)
    throw new SbxError('busy', `${name} needs a restart to apply sandbox.toml, and its agent is running`, {
      hint: `wait for the agent, or end it: sbx run --end ${name}; \`sbx apply --yes\` ends it as well`,
    });
  if (!view.json)
    process.stderr.write('sbx: sandbox.toml has changed; when the agent is done, `sbx apply` restarts the sandbox\n');
  return true;
}

type Wanted = { project: ProjectSpec; name: string } | { sandbox: SandboxStatus };

/** Finds a sandbox in this folder's file, applied or not; else in another project, by that project's file. */
async function findWanted({ context, client, cwd, name }: Options): Promise<Wanted> {
  const own = await readProject(context, cwd).catch((error: unknown) => {
    if (error instanceof SbxError && error.code === 'config-not-found' && name !== undefined) return undefined;
    throw error;
  });
  const bare = own === undefined ? undefined : nameIn(own, name);
  if (own !== undefined && bare !== undefined) return { project: own, name: bare };
  const sandbox = await resolveSandbox(client, cwd, name);
  const project = await projectOf(context, sandbox);
  return project === undefined ? { sandbox } : { project, name: sandbox.name };
}

function nameIn(project: ProjectSpec, name: string | undefined): string | undefined {
  const names = project.sandboxes.map((one) => one.name);
  if (name !== undefined) return names.find((one) => one === name || `${project.name}/${one}` === name);
  if (names.length === 1) return names[0];
  throw new SbxError('ambiguous-name', 'this project has more than one sandbox', {
    hint: `name one: sbx run ${names.join(' | ')}`,
  });
}

/** Undefined: the file no longer exists, or no longer has the sandbox; the applied spec is used then. */
async function projectOf(context: Options['context'], sandbox: SandboxStatus): Promise<ProjectSpec | undefined> {
  const project = await readProject(context, sandbox.projectDir).catch((error: unknown) => {
    if (error instanceof SbxError && error.code === 'config-not-found') return undefined;
    throw error;
  });
  const still = project?.dir === sandbox.projectDir && project.sandboxes.some(({ name }) => name === sandbox.name);
  return still ? project : undefined;
}
