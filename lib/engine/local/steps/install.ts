/** Installs added packages in a running VM, and runs the lines that were added to `setup`. */
import { guestEnvironment, installSteps } from '../../../image/bake/bake-script.ts';
import { withImageEnvironment } from '../../../image/bake/image-environment.ts';
import { installStep } from '../../../image/bake/install.ts';
import { instancePaths } from '../../../paths.ts';
import { addedPackages } from '../../../plan/packages.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';
import type { StepDeps, StepHandler } from './step-deps.ts';

/** A guest that answers does so at once */
const ANSWER_MS = 10_000;

/** Package managers may run again; a line of `setup` is recorded as soon as it is done, and not run twice. */
export const install: StepHandler<'install'> = async (deps, { spec }, { id, signal, onProgress, onLine }) => {
  const { applied } = deps.records.require(id);
  if (applied === null) return;
  const added = addedPackages(applied.packages, spec.packages);
  const { packages, setup } = installSteps(applied.packages, added);
  const { agent } = instancePaths(deps.home, id);
  const guest = await deps.guests.connect(id, agent, { fresh: false, timeoutMs: ANSWER_MS, signal });
  const env = withImageEnvironment(guestEnvironment(await deps.registries.refresh()), spec.image.env);
  const options = { name: spec.name, env, signal, onProgress, onLine, denied: [] };
  // Before the first: a disk with half of them is no clone of its image either.
  await deps.records.update(id, { imageLacksPackages: true });
  for (const step of packages) await installStep(guest, step, options);
  let done = applied.packages.setup.length;
  for (const step of setup) {
    await installStep(guest, step, options);
    done += 1;
    await recordLines(deps, id, { spec, done });
  }
};

/** The packages are those of `spec` by now, its lines up to `done`. */
async function recordLines(deps: StepDeps, id: string, { spec, done }: { spec: SandboxSpec; done: number }) {
  const { applied } = deps.records.require(id);
  if (applied === null) return;
  const { packages, sources } = spec;
  const of = (all: SandboxSpec['sources'], isPackage: boolean) =>
    Object.entries(all).filter(([path]) => path.startsWith('packages.') === isPackage);
  await deps.records.update(id, {
    applied: {
      ...applied,
      packages: { ...packages, setup: packages.setup.slice(0, done) },
      sources: Object.fromEntries([...of(applied.sources, false), ...of(sources, true)]),
    },
  });
}
