/** A sandbox's machine in the words of the driver, and the look at its jail before it runs. */

import { SbxError } from '../../../errors.ts';
import { cloneDisk, type WarmImage } from '../../../image/warm/warm-image.ts';
import { instancePaths } from '../../../paths.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';
import { allOrAbort } from '../../../system/all-or-abort.ts';
import type { VmConfig, VmProcess } from '../../../vm/driver.ts';
import { checkMounts } from '../../../workspace/mounts/check-mounts.ts';
import type { VmDeps } from './deps.ts';
import { type PreparedWorkspace, prepareWorkspace } from './workspaces.ts';

export interface ResumedVm {
  vm: VmProcess;
  workspace: PreparedWorkspace;
}

export interface CloneRequest {
  /** Whose folder it lies in */
  id: string;
  spec: SandboxSpec;
  image: WarmImage;
  signal: AbortSignal;
}

/** A clone of the warm snapshot on a disk of its own, running. `beside` is done meanwhile, before it runs. */
export async function resumeClone(
  deps: Pick<VmDeps, 'home' | 'driver'>,
  { id, spec, image, signal }: CloneRequest,
  beside: () => Promise<void> = async () => {},
): Promise<ResumedVm> {
  const paths = instancePaths(deps.home, id);
  const [workspace] = await allOrAbort(signal, () => [
    prepareWorkspace(deps.home, id, spec),
    cloneDisk(image, paths.disk),
    beside(),
  ]);
  const shape = vmConfigOf({ spec, image, disk: paths.disk, workspace });
  const vm = await deps.driver.restore(shape, image.warm, paths, {
    signal,
    beforeRun: (started) => mustShow(started, workspace),
  });
  return { vm, workspace };
}

/** Between planning the mounts and making them, another sandbox of the same workspace may have put a link where a folder was. */
export async function mustShow(vm: VmProcess, workspace: PreparedWorkspace): Promise<void> {
  const faults = checkMounts({ pid: vm.pid, mounts: workspace.jailMounts, identities: workspace.identities });
  const [first] = faults;
  if (first === undefined) return;
  throw new SbxError('workspace', 'the workspace changed while the sandbox was made', {
    why: faults.map(({ mount, what }) => `${mount.source} → ${mount.target}: ${what}`).join(', '),
    hint: 'try again; if it stays so, another program or sandbox exchanges files there',
  });
}

export interface VmConfigFacts {
  spec: SandboxSpec;
  image: WarmImage;
  /** The sandbox's own */
  disk: string;
  workspace: PreparedWorkspace;
}

export function vmConfigOf({ spec, image, disk, workspace }: VmConfigFacts): VmConfig {
  return {
    cpus: spec.resources.cpus,
    memoryBytes: spec.resources.memoryBytes,
    kernel: image.kernel,
    initrd: image.initrd,
    cmdline: '',
    disks: [
      { serial: 'sbx-root', path: disk, format: 'qcow2', readonly: false, backing: image.backing },
      image.runtimeDisk,
    ],
    mounts: workspace.jailMounts,
  };
}
