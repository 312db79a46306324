/** Replaces an instance's disk by a clone of the warm base and resumes it. */
import { mkdirSync, rmSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { verifyImage, type WarmImage } from '../../../image/warm/warm-image.ts';
import { instancePaths } from '../../../paths.ts';
import type { Steps } from '../../../plan/types.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';
import { removeTree } from '../../../system/remove-tree.ts';
import type { StepContext } from '../../engine.ts';
import { claim } from '../pool/pooled-clone.ts';
import { dropSaved } from '../suspend/saved-state.ts';
import { finalizeStart } from '../vm/finalize-start.ts';
import { type CloneRequest, type ResumedVm, resumeClone } from '../vm/resume-clone.ts';
import { endVm, type StepDeps, type StepHandler, warmImage } from './step-deps.ts';

/** Uses the image of the `build` step before it. */
export const create: StepHandler<'create'> = async (deps, step, context) => {
  const { built } = deps.records.require(context.id);
  await createFrom(deps, built ?? (await warmImage(deps, step.spec, context)), step, context);
};

export async function createFrom(
  deps: StepDeps,
  image: WarmImage,
  { spec, generation, boot }: Steps['create'],
  context: StepContext,
): Promise<void> {
  const { id, signal } = context;
  const record = deps.records.require(id);
  await verifyImage(deps.image, image);
  const paths = instancePaths(deps.home, id);
  await endVm(deps, id);
  dropSaved(paths);
  signal.throwIfAborted();
  mkdirSync(paths.dir, { recursive: true, mode: 0o700 });
  // A reset that is cut off is found by its generation: the spec stays applied.
  const applied = isDeepStrictEqual(record.applied, spec) ? record.applied : null;
  await deps.records.update(id, {
    target: spec,
    applied,
    image,
    built: null,
    resumed: null,
    imageLacksPackages: false,
    bootFiles: null,
    lostMemory: null,
  });
  rmSync(paths.disk, { force: true });
  // What the sandbox kept for itself goes with its disk.
  removeTree(paths.privateLayer);
  const request = { id, spec, image, signal };
  const resumed =
    (await fromPool(deps, request, context)) ?? (await resumeClone(deps, request, () => freshEgress(deps, id, spec)));
  await finalizeStart(deps, context, { spec, ...resumed, fresh: true, reached: { generation, boot } });
}

/** Claims a pooled clone where one fits. */
async function fromPool(deps: StepDeps, request: CloneRequest, context: StepContext): Promise<ResumedVm | undefined> {
  const clone = deps.pool.take(request);
  if (clone === undefined) return undefined;
  const openEgress = () => freshEgress(deps, request.id, request.spec);
  const claimed = await claim(deps, clone, { ...request, openEgress });
  if (claimed !== undefined) context.onProgress('a clone from the warm pool');
  return claimed;
}

/** A fresh VM trusts a fresh certificate authority. */
async function freshEgress(deps: StepDeps, id: string, spec: SandboxSpec): Promise<void> {
  await deps.egress.close(id);
  rmSync(instancePaths(deps.home, id).authority, { force: true });
  await deps.credentials.renew(id);
  await deps.egress.open(id, spec);
}
