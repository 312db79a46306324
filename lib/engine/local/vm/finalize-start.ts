/** Turns a resumed or booted VM into its sandbox: connects and assigns its identity. */
import { rmSync } from 'node:fs';
import type { GuestConnection } from '../../../guest/client/connection.ts';
import { instancePaths } from '../../../paths.ts';
import type { Desired } from '../../../spec/desired.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';
import { allOrAbort } from '../../../system/all-or-abort.ts';
import type { VmProcess } from '../../../vm/driver.ts';
import { guestGitConfig } from '../../../workspace/guest-git.ts';
import { writeMcpFile } from '../guests/mcp-file.ts';
import { makeClone } from '../workspace/clone-workspace.ts';
import { fillKept, foldersToFill } from '../workspace/fill-kept.ts';
import { noteKeptOwner } from '../workspace/kept.ts';
import type { AttachedWorkspace } from '../workspace/workspaces.ts';
import { ANSWER_MS, assignIdentity, newIdentity } from './assign-identity.ts';
import type { VmDeps } from './deps.ts';

export interface Started {
  spec: SandboxSpec;
  vm: VmProcess;
  workspace: AttachedWorkspace;
  /** No connection to its agent was made yet */
  fresh: boolean;
  /** Recorded once the identity is assigned */
  reached: Pick<Desired, 'generation' | 'boot'>;
  /** `guestGitConfig` of the spec, where the caller has asked for it before; it never rejects */
  git?: Promise<string>;
}

/** Assigns entropy, clock, identity and workspace. Commands run only afterwards; the agent starts to answer meanwhile. */
export async function finalizeStart(
  deps: VmDeps,
  context: { id: string; signal: AbortSignal },
  { spec, vm, workspace, fresh, reached, git: text = guestGitConfig(spec) }: Started,
): Promise<void> {
  const { id } = context;
  const paths = instancePaths(deps.home, id);
  const ca = deps.gateway.caOf(id) ?? '';
  const git = await text;
  const docker = spec.docker !== undefined;
  const identity = newIdentity({ hostname: spec.name, mounts: workspace.guestMounts, ca, git, docker });
  const [guest, { java }] = await allOrAbort(context.signal, (signal) => [
    deps.guests.connect(id, paths.agent, { fresh, timeoutMs: ANSWER_MS, signal }),
    assignIdentity(paths.setup, identity, { last: true, signal }),
    // Makes new placeholders now: reading a secret may take a while, and the first command need not wait for it.
    deps.credentials.environment(id, spec),
  ]);
  if (spec.workspace.mode === 'clone') await makeClone(guest, { record: paths.clone, spec, signal: context.signal });
  else rmSync(paths.clone, { force: true });
  const filledKept = await prepareKept(deps, guest, {
    id,
    spec,
    generation: reached.generation,
    signal: context.signal,
  });
  await writeMcpFile(guest, { spec, note: paths.mcp.note, signal: context.signal });
  // Not awaited: requests to the guest are handled in order.
  if (java) guest.request('trusted', {}).catch(() => {});
  const { cpus, memoryBytes } = spec.resources;
  const resumed = { pid: vm.pid, startTime: vm.startTime, size: { cpus, memoryBytes } };
  await deps.records.update(id, { resumed, ...reached, ...filledKept });
}

interface Preparing {
  id: string;
  spec: SandboxSpec;
  generation: number;
  signal: AbortSignal;
}

/** What to record: a start that is cut off before does it again. */
async function prepareKept(deps: VmDeps, guest: GuestConnection, { id, spec, generation, signal }: Preparing) {
  const { keep = [] } = spec.agent;
  if (keep.length === 0) return {};
  const { filledKept, projectDir, name } = deps.records.require(id);
  const folders = foldersToFill(keep, generation, filledKept);
  if (folders.length === 0) return {};
  await noteKeptOwner(deps.home, id, { projectDir, name });
  await fillKept(guest, folders, signal);
  return { filledKept: { generation, folders: keep } };
}
