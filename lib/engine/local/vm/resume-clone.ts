/** Resumes a clone of the warm snapshot, after a check of its jail's mounts. */
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
  /** Of the instance folder */
  id: string;
  spec: SandboxSpec;
  image: WarmImage;
  signal: AbortSignal;
}

/** Resumes a clone on a disk of its own. `beside` runs in parallel and ends before the clone runs. */
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

/** Between planning and making the mounts, another sandbox of the same workspace may have replaced a folder by a link. */
export async function mustShow(vm: VmProcess, workspace: PreparedWorkspace): Promise<void> {
  const faults = checkMounts({ pid: vm.pid, mounts: workspace.jailMounts, identities: workspace.identities });
  const [first] = faults;
  if (first === undefined) return;
  throw new SbxError('workspace', 'the workspace changed while the sandbox started', {
    why: faults.map(({ mount, what }) => `${mount.source} → ${mount.target}: ${what}`).join(', '),
    hint: 'try again; if it fails again, another program or sandbox is replacing files there',
  });
}

export interface VmConfigFacts {
  spec: SandboxSpec;
  image: WarmImage;
  /** The sandbox's own qcow2 overlay */
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
