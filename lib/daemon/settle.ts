/** A guest that has just come up becomes the sandbox that it is to be. */
import { randomBytes, randomUUID } from 'node:crypto';
import type { SandboxSpec } from '../config/spec.ts';
import { orAbort, within } from '../deadline.ts';
import { SbxError } from '../errors.ts';
import type { GuestConnection } from '../guest/client.ts';
import { becoming } from '../guest/setup/becoming.ts';
import { carryOut } from '../guest/setup/client.ts';
import { guestEnvironment } from '../image/bake-script.ts';
import { instancePaths } from '../paths.ts';
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

/** Makes a guest a sandbox of its own: entropy, clock, identity, workspace, environment. Only then commands run; its agent begins to answer meanwhile. */
export async function settle(deps: HandlerDeps, context: StepContext, started: Started): Promise<void> {
  const { spec, vm, workspace, fresh } = started;
  const { id } = context;
  const paths = instancePaths(deps.home, id);
  using signal = within(ANSWER_MS, context.signal);
  const identity = {
    entropy: randomBytes(64),
    timeNs: BigInt(Date.now()) * 1_000_000n,
    machineId: randomUUID().replaceAll('-', ''),
    hostname: spec.name,
    mounts: workspace.guestMounts,
    ca: deps.gateway.caOf(id) ?? '',
  };
  const answering = async () => {
    const guest = await deps.guests.connect(id, paths.agent, { fresh, timeoutMs: ANSWER_MS, signal: context.signal });
    await configure(deps, id, { guest, spec, signal });
    return guest;
  };
  const [guest] = await Promise.all([answering(), carryOut(paths.setup, becoming(identity), { last: true, signal })]);
  // Not waited for: what the guest hears later, it does later.
  guest.request('trusted', {}).catch(() => {});
  deps.watches.start(id, vm.pid, workspace);
  await deps.records.update(id, { resumed: { pid: vm.pid, startTime: vm.startTime } });
}

/** For the commands that begin from now on; nothing where no guest is connected. */
export async function configureGuest(deps: HandlerDeps, id: string, spec: SandboxSpec): Promise<void> {
  const guest = deps.guests.get(id);
  using signal = within(ANSWER_MS);
  if (guest !== undefined) await configure(deps, id, { guest, spec, signal });
}

interface Configuration {
  guest: GuestConnection;
  spec: SandboxSpec;
  signal: AbortSignal;
}

/** What the agent behind a connection was told last: asking it takes as long as running a command. */
const CONFIGURED = new WeakMap<GuestConnection, string>();

/** A connection on which nothing is answered is of no more use: the next command makes a new one. */
async function configure(deps: HandlerDeps, id: string, { guest, spec, signal }: Configuration): Promise<void> {
  const env = await environmentOf(deps, id, spec);
  const text = JSON.stringify(env);
  if (CONFIGURED.get(guest) === text) return;
  try {
    await orAbort(guest.request('configure', { env }), signal);
    CONFIGURED.set(guest, text);
  } catch (error) {
    if (!signal.aborted || error instanceof SbxError) throw error;
    await deps.guests.drop(id);
    throw new SbxError('guest-failed', 'the sandbox does not answer', {
      why: `its agent took no environment within ${ANSWER_MS / 1000} s`,
      cause: error,
    });
  }
}

async function environmentOf(deps: HandlerDeps, id: string, spec: SandboxSpec): Promise<Record<string, string>> {
  const standIns = await deps.credentials.environment(id, spec);
  return { ...guestEnvironment(await deps.registries()), ...spec.env, ...standIns };
}
