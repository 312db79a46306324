/** Fetches the npm packages of a bake on the host where the result is the same: on a base whose C library is known. Otherwise the guest's npm does it. */
import { SbxError } from '../../errors.ts';
import type { Disk, VmPaths } from '../../vm/driver.ts';
import { distributionOf } from '../base/distribution.ts';
import type { ImageBuild } from '../store/image-build.ts';
import type { BakeStep } from './bake-script.ts';
import { hostExtraCas } from './host-trust.ts';
import { canStage, stageNpm } from './npm-stage.ts';
import { NPM_DISK, stagedSteps } from './npm-steps.ts';

export interface NpmFetch {
  steps: BakeStep[];
  /** Paths of the bake's VM, whose egress proxy listens */
  paths: VmPaths;
  signal: AbortSignal | undefined;
}

/** Returns the steps that remain for the guest, and the disks that they read. */
export async function fetchNpm(
  { deps, request, events }: ImageBuild,
  { steps, paths, signal }: NpmFetch,
): Promise<{ steps: BakeStep[]; disks: Disk[] }> {
  const packages = steps.flatMap((step) => step.npm ?? []);
  if (!canStage(packages) || distributionOf(request.base) === undefined) return { steps, disks: [] };
  const { node, npm } = await deps.runtimeParts();
  events.onProgress(`fetching ${packages.join(' ')}`);
  try {
    const path = await stageNpm({
      packages,
      // Removed with the rest of the machine.
      dir: paths.dir,
      egress: paths.egress,
      node,
      npm,
      env: request.env,
      trust: await hostExtraCas(),
      signal,
    });
    return {
      steps: steps.flatMap((step) => (step.npm === undefined ? [step] : stagedSteps(step.npm))),
      disks: [{ serial: NPM_DISK, path, format: 'raw', readonly: true, backing: [] }],
    };
  } catch (error) {
    signal?.throwIfAborted();
    const why = error instanceof SbxError ? (error.why ?? error.message) : String(error);
    events.onLine(`npm on the host: ${why}`);
    return { steps, disks: [] };
  }
}
