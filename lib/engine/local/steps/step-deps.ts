/** What step handlers work with. */
import { guestEnvironment } from '../../../image/bake/bake-script.ts';
import { currentPlatform, ensureWarm } from '../../../image/layers.ts';
import type { ImageEvents, ImageRequest } from '../../../image/store/image-build.ts';
import type { WarmImage } from '../../../image/warm/warm-image.ts';
import { instancePaths } from '../../../paths.ts';
import type { Step, Steps } from '../../../plan/types.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';
import type { StepContext } from '../../engine.ts';
import type { Pool } from '../pool/pool.ts';
import type { VmDeps } from '../vm/deps.ts';
import { imageRequestOf } from '../vm/image-request.ts';
import { detachWorkspace } from '../workspace/workspaces.ts';

export interface StepDeps extends VmDeps {
  pool: Pool;
}

/** Brings one part of the world to what the step says. MUST be safe to run again after it was cut off anywhere. */
export type StepHandler<A extends keyof Steps> = (deps: StepDeps, step: Step<A>, context: StepContext) => Promise<void>;

/** Builds the layers that are missing and verifies the others. */
export async function warmImage(deps: VmDeps, spec: SandboxSpec, context: ImageEvents): Promise<WarmImage> {
  return ensureWarm(deps.image, await requestOf(deps, spec), context);
}

/** What a disk of the sandbox boots with. */
export async function platformOf(deps: StepDeps, spec: SandboxSpec, context: StepContext) {
  return currentPlatform(deps.image, await requestOf(deps, spec), context);
}

async function requestOf(deps: VmDeps, spec: SandboxSpec): Promise<ImageRequest> {
  return imageRequestOf(spec, guestEnvironment(await deps.registries.refresh()));
}

/** Tears down the previous VM; its disk stays. */
export async function endVm(deps: VmDeps, id: string): Promise<void> {
  await deps.guests.drop(id);
  await deps.driver.destroy(instancePaths(deps.home, id));
  await detachWorkspace(deps, id);
}
