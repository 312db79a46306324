/** A guest that has just come up becomes the sandbox that it is to be. */
import { randomBytes, randomUUID } from 'node:crypto';
import type { SandboxSpec } from '../config/spec.ts';
import { within } from '../deadline.ts';
import { becoming, type Identity } from '../guest/setup/becoming.ts';
import { carryOut } from '../guest/setup/client.ts';
import type { CarriedOut } from '../guest/setup/operations.ts';
import { instancePaths } from '../paths.ts';
import { together } from '../together.ts';
import type { VmProcess } from '../vm/driver.ts';
import type { HandlerDeps, StepContext } from './handler-deps.ts';
import type { PreparedWorkspace } from './workspaces.ts';

/** How long a resumed or booted guest may take to answer */
const ANSWER_MS = 30_000;

export interface Started {
  spec: SandboxSpec;
  vm: VmProcess;
  workspace: PreparedWorkspace;
  /** Nobody has spoken to its agent yet */
  fresh: boolean;
}

/** Makes a guest a sandbox of its own: entropy, clock, identity, workspace. Only then commands run; its agent begins to answer meanwhile. */
export async function settle(deps: HandlerDeps, context: StepContext, started: Started): Promise<void> {
  const { spec, vm, workspace, fresh } = started;
  const { id } = context;
  const paths = instancePaths(deps.home, id);
  const identity = {
    entropy: randomBytes(64),
    timeNs: BigInt(Date.now()) * 1_000_000n,
    machineId: randomUUID().replaceAll('-', ''),
    hostname: spec.name,
    mounts: workspace.guestMounts,
    ca: deps.gateway.caOf(id) ?? '',
  };
  const [guest, { java }] = await together(context.signal, (signal) => [
    deps.guests.connect(id, paths.agent, { fresh, timeoutMs: ANSWER_MS, signal }),
    become(paths.setup, identity, signal),
    // New stand-ins are made now: a secret may take its time, and the first command need not wait for it.
    deps.credentials.environment(id, spec),
  ]);
  // Not waited for: what the guest hears later, it does later.
  if (java) guest.request('trusted', {}).catch(() => {});
  deps.watches.start(id, vm.pid, workspace);
  await deps.records.update(id, { resumed: { pid: vm.pid, startTime: vm.startTime } });
}

/** With a deadline of its own, as connecting has: each says by itself what did not answer. Who gives up is told why. */
async function become(setup: string, identity: Identity, signal: AbortSignal): Promise<CarriedOut> {
  using patience = within(ANSWER_MS, signal);
  return await carryOut(setup, becoming(identity), { last: true, signal: patience }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw error;
  });
}
