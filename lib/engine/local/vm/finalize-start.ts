/** A guest that has just come up becomes the sandbox that it is to be. */

import { instancePaths } from '../../../paths.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';
import { allOrAbort } from '../../../system/all-or-abort.ts';
import type { VmProcess } from '../../../vm/driver.ts';
import { ANSWER_MS, become, newIdentity } from './assign-identity.ts';
import type { MachineDeps } from './deps.ts';
import type { PreparedWorkspace } from './workspaces.ts';

export interface Started {
  spec: SandboxSpec;
  vm: VmProcess;
  workspace: PreparedWorkspace;
  /** Nobody has spoken to its agent yet */
  fresh: boolean;
}

/** Makes a guest a sandbox of its own: entropy, clock, identity, workspace. Only then commands run; its agent begins to answer meanwhile. */
export async function settle(
  deps: MachineDeps,
  context: { id: string; signal: AbortSignal },
  started: Started,
): Promise<void> {
  const { spec, vm, workspace, fresh } = started;
  const { id } = context;
  const paths = instancePaths(deps.home, id);
  const ca = deps.gateway.caOf(id) ?? '';
  const identity = newIdentity({ hostname: spec.name, mounts: workspace.guestMounts, ca });
  const [guest, { java }] = await allOrAbort(context.signal, (signal) => [
    deps.guests.connect(id, paths.agent, { fresh, timeoutMs: ANSWER_MS, signal }),
    become(paths.setup, identity, { last: true, signal }),
    // New stand-ins are made now: a secret may take its time, and the first command need not wait for it.
    deps.credentials.environment(id, spec),
  ]);
  // Not waited for: what the guest hears later, it does later.
  if (java) guest.request('trusted', {}).catch(() => {});
  deps.watches.start(id, vm.pid, workspace);
  await deps.records.update(id, { resumed: { pid: vm.pid, startTime: vm.startTime } });
}
