/** Plans the changes and steps from the observed to the desired state. Pure. The plan of a converged state is empty. */
import type { ProjectSpec, SandboxSpec } from '../spec/spec.ts';
import { diffSpecs } from './diff.ts';
import { strongest } from './effects.ts';
import type { Change, ObservedSandbox, Plan, Step } from './types.ts';
import { widensAtBirth } from './widening.ts';

export interface PlanOptions {
  /** `apply`: requested by the user, so a stopped sandbox starts. `reconcile`: in the background, following `lifecycle.restart`. */
  mode: 'apply' | 'reconcile';
  /** Hash of the policy that a spec's network list compiles to */
  networkHash: (spec: SandboxSpec) => string;
}

export function planSandbox(desired: SandboxSpec | undefined, observed: ObservedSandbox, options: PlanOptions): Plan {
  if (desired === undefined) return observed.exists ? destroyPlan(observed) : { changes: [], steps: [] };
  if (!observed.exists || observed.applied === undefined) return createPlan(desired);
  const changes = diffSpecs(observed.applied, desired);
  const effect = strongest(changes.map((change) => change.effect));
  const sandbox = desired.name;
  const spec = desired;
  if (effect === 'rebuild')
    return {
      changes,
      steps: [
        { action: 'build', sandbox, spec },
        { action: 'create', sandbox, spec },
        { action: 'record', sandbox, spec },
      ],
    };
  const healthy = observed.running && observed.ready;
  const wantsRun = healthy || shouldRun(desired, observed, options.mode);
  const restart = wantsRun && (effect === 'restart' || !healthy);
  const steps: Step[] = [];
  if (restart && observed.running) steps.push({ action: 'stop', sandbox });
  if (restart) steps.push({ action: 'start', sandbox, spec });
  else if (observed.running && observed.networkHash !== options.networkHash(desired))
    steps.push({ action: 'network', sandbox, spec });
  if (changes.length > 0) steps.push({ action: 'record', sandbox, spec });
  return { changes: [...changes, ...(restart && !healthy ? [driftOf(observed)] : [])], steps };
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

function createPlan(spec: SandboxSpec): Plan {
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
    steps: [
      { action: 'build', sandbox, spec },
      { action: 'create', sandbox, spec },
      { action: 'record', sandbox, spec },
    ],
  };
}

function shouldRun(spec: SandboxSpec, observed: ObservedSandbox, mode: PlanOptions['mode']): boolean {
  if (mode === 'apply') return true;
  if (observed.stopped) return false;
  if (observed.running) return true;
  const { restart } = spec.lifecycle;
  return restart === 'always' || (restart === 'on-failure' && observed.exit?.code !== 0);
}

/** The change of a VM that does not run or answer, although no field changed. */
function driftOf({ name: sandbox, running, stopped }: ObservedSandbox): Change {
  const from = running ? 'not answering' : stopped ? 'stopped' : 'exited';
  return { sandbox, path: 'machine', from, to: 'running', effect: 'restart', widens: false, source: 'default' };
}

/** Plans a whole project. `observed` has every existing sandbox of the project, including those removed from the file. */
export function planProject(
  project: ProjectSpec,
  observed: ObservedSandbox[],
  options: PlanOptions & { only?: string[] | undefined },
): Plan {
  const wanted = (name: string) =>
    options.only === undefined || options.only.length === 0 || options.only.includes(name);
  const plans = project.sandboxes
    .filter(({ name }) => wanted(name))
    .map((spec) => planSandbox(spec, observed.find(({ name }) => name === spec.name) ?? absent(spec.name), options));
  const gone = observed
    .filter(({ name }) => wanted(name) && !project.sandboxes.some((spec) => spec.name === name))
    .map((one) => planSandbox(undefined, one, options));
  const all = [...plans, ...gone];
  return { changes: all.flatMap((plan) => plan.changes), steps: all.flatMap((plan) => plan.steps) };
}

export function absent(name: string): ObservedSandbox {
  return {
    name,
    exists: false,
    applied: undefined,
    running: false,
    stopped: false,
    exit: undefined,
    ready: false,
    networkHash: undefined,
    warmKey: undefined,
  };
}
