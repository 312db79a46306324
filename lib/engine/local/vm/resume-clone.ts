/** Resumes a clone of the warm snapshot, with its workspace attached. */
import { cloneDisk, type WarmImage } from '../../../image/warm/warm-image.ts';
import { instancePaths } from '../../../paths.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';
import { allOrAbort } from '../../../system/all-or-abort.ts';
import type { VmConfig, VmProcess } from '../../../vm/driver.ts';
import { guestGitConfig } from '../../../workspace/guest-git.ts';
import { type AttachedWorkspace, attachWorkspace } from '../workspace/workspaces.ts';
import type { VmDeps } from './deps.ts';

export interface ResumedVm {
  vm: VmProcess;
  workspace: AttachedWorkspace;
  /** For `finalizeStart` */
  git?: Promise<string>;
}

export interface CloneRequest {
  /** Of the instance folder */
  id: string;
  /** The sandbox whose kept folders it gets; default: `id` */
  owner?: string;
  spec: SandboxSpec;
  image: WarmImage;
  signal: AbortSignal;
}

/** Resumes a clone on a disk of its own. `beside` runs in parallel and ends before the clone runs. */
export async function resumeClone(
  deps: Pick<VmDeps, 'home' | 'driver' | 'workspaces'>,
  { id, owner, spec, image, signal }: CloneRequest,
  beside: () => Promise<void> = async () => {},
): Promise<ResumedVm> {
  const paths = instancePaths(deps.home, id);
  // Beside the clone: the VM does not wait for git.
  const git = guestGitConfig(spec);
  const [workspace] = await allOrAbort(signal, () => [
    attachWorkspace(deps, id, { spec, owner }),
    cloneDisk(image, paths.disk),
    beside(),
  ]);
  const shape = vmConfigOf({ spec, image, disk: paths.disk, workspace });
  const vm = await deps.driver.restore(shape, image.warm, paths, { signal });
  return { vm, workspace, git };
}

export interface VmConfigFacts {
  spec: SandboxSpec;
  image: WarmImage;
  /** The sandbox's own qcow2 overlay */
  disk: string;
  workspace: AttachedWorkspace;
}

/** Place of the sandbox's own disk in `VmConfig.disks` */
export const ROOT_DISK = 0;

export function vmConfigOf({ spec, image, disk, workspace }: VmConfigFacts): VmConfig {
  const minBytes = spec.resources.diskBytes;
  return {
    cpus: spec.resources.cpus,
    memoryBytes: spec.resources.memoryBytes,
    kernel: image.kernel,
    initrd: image.initrd,
    cmdline: '',
    disks: [
      { serial: 'sbx-root', path: disk, format: 'qcow2', readonly: false, minBytes, backing: image.backing },
      image.runtimeDisk,
    ],
    workspace: workspace.link === undefined ? undefined : { link: workspace.link },
  };
}
