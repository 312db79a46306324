/** Cold-boots an instance on its own disk. */
import { existsSync } from 'node:fs';
import { verifyImage } from '../../../image/warm/warm-image.ts';
import { instancePaths } from '../../../paths.ts';
import { bootSupervised } from '../../../vm/boot-supervisor.ts';
import { dropSaved } from '../suspend/saved-state.ts';
import { finalizeStart } from '../vm/finalize-start.ts';
import { vmConfigOf } from '../vm/resume-clone.ts';
import { attachWorkspace } from '../workspace/workspaces.ts';
import { createFrom } from './create.ts';
import { endVm, platformOf, type StepHandler, warmImage } from './step-deps.ts';

/** An instance without a disk, after a create that was cut off, is cloned again. */
export const start: StepHandler<'start'> = async (deps, step, context) => {
  const { id, signal } = context;
  const { spec, generation, boot } = step;
  const { image } = deps.records.require(id);
  const paths = instancePaths(deps.home, id);
  // Not from the last build, which may have been for a spec that was never applied.
  if (image === null || !existsSync(paths.disk))
    return createFrom(deps, await warmImage(deps, spec, context), step, context);
  await endVm(deps, id);
  dropSaved(paths);
  context.onProgress('checking the layers under its disk');
  await verifyImage(deps.image, image);
  const workspace = await attachWorkspace(deps, id, { spec });
  await deps.egress.open(id, spec);
  const platform = await platformOf(deps, spec, context);
  const { chain: bootedWith, kernel, initrd, runtimeDisk } = platform;
  const bootFiles = { kernel, initrd, runtimeDisk };
  await deps.records.update(id, { resumed: null, bootedWith, bootFiles, lostMemory: null });
  const config = vmConfigOf({ spec, image: { ...image, ...platform }, disk: paths.disk, workspace });
  const { process: vm, guest } = await bootSupervised(deps.driver, config, paths, { signal });
  await guest[Symbol.asyncDispose]();
  await finalizeStart(deps, context, { spec, vm, workspace, fresh: false, reached: { generation, boot } });
};
