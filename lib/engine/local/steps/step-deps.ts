/** What step handlers work with. */
import { guestEnvironment } from '../../../image/bake/bake-script.ts';
import { ensureWarm } from '../../../image/layers.ts';
import type { WarmImage } from '../../../image/warm/warm-image.ts';
import { instancePaths } from '../../../paths.ts';
import type { Step, Steps } from '../../../plan/types.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';
import type { StepContext } from '../../engine.ts';
import type { Pool } from '../pool/pool.ts';
import type { VmDeps } from '../vm/deps.ts';
import { imageRequestOf } from '../vm/image-request.ts';

export interface StepDeps extends VmDeps {
  pool: Pool;
}

/** Brings one part of the world to what the step says. MUST be safe to run again after it was cut off anywhere. */
export type StepHandler<A extends keyof Steps> = (deps: StepDeps, step: Step<A>, context: StepContext) => Promise<void>;

/** Builds the layers that are missing and verifies the others. */
export async function warmImage(deps: StepDeps, spec: SandboxSpec, context: StepContext): Promise<WarmImage> {
  const request = imageRequestOf(spec, guestEnvironment(await deps.registries.refresh()));
  const { onProgress, onLine, signal } = context;
  return ensureWarm(deps.image, request, { onProgress, onLine, signal });
}

/** Tears down the previous VM and its watchers; its disk stays. */
export async function endVm(deps: VmDeps, id: string): Promise<void> {
  deps.watches.stop(id);
  await deps.guests.drop(id);
  await deps.driver.destroy(instancePaths(deps.home, id));
}
