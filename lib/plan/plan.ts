/** Plans the changes and steps from the observed to the desired state. Pure. The plan of a converged state is empty. */
import type { Desired, Power } from '../spec/desired.ts';
import type { ProjectSpec, SandboxSpec } from '../spec/spec.ts';
import { diffSpecs } from './diff.ts';
import { strongest } from './effects.ts';
import type { Change, ObservedSandbox, Plan, Step } from './types.ts';
import { widensAtBirth } from './widening.ts';

type Counters = Pick<Desired, 'generation' | 'boot'>;

export interface PlanOptions {
  /** `apply`: requested by the user, so a stopped sandbox starts. `reconcile`: in the background, following `lifecycle.restart`. */
  mode: 'apply' | 'reconcile';
  /** Hash of the policy that a spec's network list compiles to */
  networkHash: (spec: SandboxSpec) => string;
}

export function planSandbox(desired: Desired, observed: ObservedSandbox, options: PlanOptions): Plan {
  const { spec, generation, boot } = desired;
  if (spec === undefined) return observed.exists ? destroyPlan(observed) : { changes: [], steps: [] };
  if (desired.power !== 'on') return offPlan(spec.name, desired.power, observed);
  if (!observed.exists || observed.applied === undefined) return createPlan(spec, desired);
  const sandbox = spec.name;
  const found = diffSpecs(observed.applied, spec);
  // In the background no disk is lost for a difference: that is asked for first.
  const fields = options.mode === 'reconcile' && found.some(isRebuild) ? [] : found;
  const changes = [...fields];
  if (generation > observed.generation) changes.push(counted(sandbox, observed, desired, 'generation'));
  if (boot > observed.boot) changes.push(counted(sandbox, observed, desired, 'boot'));
  const effect = strongest(changes.map((change) => change.effect));
  if (effect === 'rebuild') return { changes, steps: rebuildSteps(spec, desired) };
  const healthy = observed.running && observed.ready;
  if (canWake(observed, desired, effect)) return wakePlan(spec, { fields, observed, desired });
  const wantsRun =
    healthy || observed.suspended !== undefined || boot > observed.boot || shouldRun(spec, observed, options.mode);
  // Left by an apply that was cut off. In the background it stays: no request asks for a restart.
  const resized = options.mode === 'apply' && effect !== 'restart' && hasOtherSize(observed, spec);
  const restart = wantsRun && (effect === 'restart' || !healthy || resized || boot > observed.boot);
  const steps: Step[] = [];
  // Of a suspended one: its saved memory is lost.
  if (restart && (observed.running || observed.suspended !== undefined)) steps.push({ action: 'stop', sandbox });
  if (restart) steps.push({ action: 'start', sandbox, spec, generation, boot });
  else if (observed.running) {
    if (growsDisk(observed.applied, spec)) steps.push({ action: 'grow', sandbox, spec });
    if (observed.networkHash !== options.networkHash(spec)) steps.push({ action: 'network', sandbox, spec });
  }
  if (fields.length > 0) steps.push(...lastSteps(spec, { fields, runs: restart || observed.running }));
  const drifted = restart && !healthy && boot <= observed.boot;
  if (drifted) changes.push(driftOf(observed));
  else if (resized) changes.push(sizeDrift(observed, spec));
  return { changes, steps };
}

function isRebuild({ effect }: Change): boolean {
  return effect === 'rebuild';
}

/** Packages that were recorded before they are installed never would be: their change waits until the sandbox is on. */
function lastSteps(spec: SandboxSpec, { fields, runs }: { fields: Change[]; runs: boolean }): Step[] {
  const sandbox = spec.name;
  const installs = fields.some(({ path }) => path.startsWith('packages.'));
  if (installs && !runs) return [];
  // Behind `network`: the guest fetches them under the policy of the same file.
  return [...(installs ? [{ action: 'install' as const, sandbox, spec }] : []), { action: 'record', sandbox, spec }];
}

function hasOtherSize({ running, size }: ObservedSandbox, { resources: { cpus, memoryBytes } }: SandboxSpec): boolean {
  return running && size !== undefined && (size.cpus !== cpus || size.memoryBytes !== memoryBytes);
}

function growsDisk(applied: SandboxSpec, { resources: { diskBytes } }: SandboxSpec): boolean {
  return diskBytes > applied.resources.diskBytes;
}

/** A changed spec waits until the sandbox is on again. */
function offPlan(sandbox: string, to: 'off' | 'suspended', { running, suspended }: ObservedSandbox): Plan {
  const from = running ? 'on' : suspended !== undefined ? 'suspended' : 'off';
  if (from === to || from === 'off') return { changes: [], steps: [] };
  const action = to === 'suspended' ? 'suspend' : 'stop';
  return { changes: [powerChange(sandbox, { from, to })], steps: [{ action, sandbox }] };
}

function powerChange(sandbox: string, { from, to }: { from: Power; to: Power }): Change {
  return { sandbox, path: 'power', from, to, effect: 'live', widens: false, source: 'default' };
}

/** A suspended sandbox whose VM would be the same one. */
function canWake({ suspended, running, boot }: ObservedSandbox, desired: Desired, effect: Change['effect']): boolean {
  if (suspended === undefined || running || desired.spec === undefined) return false;
  const { cpus, memoryBytes } = desired.spec.resources;
  const fits = suspended.cpus === cpus && suspended.memoryBytes === memoryBytes;
  return fits && effect !== 'restart' && desired.boot <= boot;
}

interface Waking {
  fields: Change[];
  observed: ObservedSandbox;
  desired: Desired;
}

/** What the file changed meanwhile is brought to it once it runs. */
function wakePlan(spec: SandboxSpec, { fields, observed, desired: { generation, boot } }: Waking): Plan {
  const sandbox = spec.name;
  const steps: Step[] = [{ action: 'resume', sandbox, spec, generation, boot }];
  if (observed.applied !== undefined && growsDisk(observed.applied, spec))
    steps.push({ action: 'grow', sandbox, spec });
  if (fields.length > 0) steps.push(...lastSteps(spec, { fields, runs: true }));
  return { changes: [...fields, powerChange(sandbox, { from: 'suspended', to: 'on' })], steps };
}

/** `reset` raises the generation, `restart` the boot. */
function counted(sandbox: string, observed: ObservedSandbox, desired: Desired, path: 'generation' | 'boot'): Change {
  const effect = path === 'generation' ? 'rebuild' : 'restart';
  return { sandbox, path, from: observed[path], to: desired[path], effect, widens: false, source: 'default' };
}

function rebuildSteps(spec: SandboxSpec, { generation, boot }: Desired): Step[] {
  const sandbox = spec.name;
  return [
    { action: 'build', sandbox, spec },
    { action: 'create', sandbox, spec, generation, boot },
    { action: 'record', sandbox, spec },
  ];
}

function destroyPlan(observed: ObservedSandbox): Plan {
  const change: Change = {
    sandbox: observed.name,
    path: '.',
    from: 'exists',
    to: null,
    effect: 'destroy',
    widens: false,
    source: 'default',
  };
  return { changes: [change], steps: [{ action: 'destroy', sandbox: observed.name }] };
}

function createPlan(spec: SandboxSpec, desired: Desired): Plan {
  const sandbox = spec.name;
  const birth: Change = {
    sandbox,
    path: '.',
    from: null,
    to: spec.image.base,
    effect: 'create',
    widens: false,
    source: spec.sources['image.base'] ?? 'default',
  };
  const wide = widensAtBirth(spec).map(
    ({ path, to }): Change => ({
      sandbox,
      path,
      from: null,
      to,
      effect: 'create',
      widens: true,
      source: spec.sources[`${path}[0]`] ?? spec.sources[path] ?? 'default',
    }),
  );
  return {
    changes: [birth, ...wide],
    steps: rebuildSteps(spec, desired),
  };
}

function shouldRun(spec: SandboxSpec, observed: ObservedSandbox, mode: PlanOptions['mode']): boolean {
  if (mode === 'apply') return true;
  if (observed.running) return true;
  const { restart } = spec.lifecycle;
  return restart === 'always' || (restart === 'on-failure' && observed.exit?.code !== 0);
}

/** The change of a VM that does not run or answer, although no field changed. */
function driftOf({ name: sandbox, running, power, suspended }: ObservedSandbox): Change {
  const drift = { sandbox, effect: 'restart', widens: false, source: 'default' } as const;
  if (suspended !== undefined) return { ...drift, path: 'power', from: 'suspended', to: 'on' };
  if (power === 'off' && !running) return { ...drift, path: 'power', from: 'off', to: 'on' };
  return { ...drift, path: 'machine', from: running ? 'not answering' : 'exited', to: 'running' };
}

/** The change of a VM that runs with another size than the one that was applied. */
function sizeDrift({ name: sandbox, size }: ObservedSandbox, { resources }: SandboxSpec): Change {
  const { cpus, memoryBytes } = resources;
  const to = { cpus, memoryBytes };
  return { sandbox, path: 'resources', from: size, to, effect: 'restart', widens: false, source: 'default' };
}

/** Plans a whole project. `observed` has every existing sandbox of the project, including those removed from the file. */
export function planProject(
  project: ProjectSpec,
  observed: ObservedSandbox[],
  options: PlanOptions & {
    only?: string[] | undefined;
    desired?: ((name: string) => Counters | undefined) | undefined;
  },
): Plan {
  const wanted = (name: string) =>
    options.only === undefined || options.only.length === 0 || options.only.includes(name);
  const plans = project.sandboxes
    .filter(({ name }) => wanted(name))
    .map((spec) => {
      const now = observed.find(({ name }) => name === spec.name) ?? absent(spec.name);
      const { generation, boot } = options.desired?.(spec.name) ?? now;
      return planSandbox({ spec, power: 'on', generation, boot }, now, options);
    });
  const gone = observed
    .filter(({ name }) => wanted(name) && !project.sandboxes.some((spec) => spec.name === name))
    .map((one) => planSandbox({ ...one, spec: undefined }, one, options));
  const all = [...plans, ...gone];
  return { changes: all.flatMap((plan) => plan.changes), steps: all.flatMap((plan) => plan.steps) };
}

export function absent(name: string): ObservedSandbox {
  return {
    name,
    exists: false,
    applied: undefined,
    running: false,
    power: 'on',
    generation: 1,
    boot: 1,
    exit: undefined,
    ready: false,
    networkHash: undefined,
    warmKey: undefined,
  };
}
