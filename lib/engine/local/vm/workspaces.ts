/** Prepares and releases the workspace of an instance, with lib/workspace. */
import { readdirSync } from 'node:fs';
import { type Home, instancePaths } from '../../../paths.ts';
import { configFilesOf } from '../../../spec/config-files.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';
import { type PreparedWorkspace, prepareWorkspace as prepare } from '../../../workspace/prepare.ts';
import { removeMountStubs } from '../../../workspace/protect/mount-stubs.ts';
import { unmounted } from './clone-workspace.ts';

export type { PreparedWorkspace };

export async function prepareWorkspace(home: Home, id: string, spec: SandboxSpec): Promise<PreparedWorkspace> {
  if (spec.workspace.mode === 'clone') return unmounted(spec);
  const { path, hide, readonly, unprotect } = spec.workspace;
  return prepare({
    path,
    hide,
    readonly,
    unprotect,
    mounts: spec.mounts,
    mountStubRecord: instancePaths(home, id).mountStubs,
    forbidden: [home.root],
    configFiles: configFilesOf(spec),
  });
}

/** After the VM has ended. Other sandboxes on the same workspace keep their mount stubs. */
export async function releaseWorkspace(home: Home, id: string): Promise<void> {
  const others = readdirSync(home.instances).filter((other) => other !== id && !other.startsWith('.'));
  removeMountStubs(
    instancePaths(home, id).mountStubs,
    others.map((other) => instancePaths(home, other).mountStubs),
  );
}
