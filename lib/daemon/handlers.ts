/** One handler a step: each brings one part of the world to what the step says, and may be run again after being killed anywhere. */
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import type { SandboxSpec } from '../config/spec.ts';
import { orAbort, within } from '../deadline.ts';
import { SbxError } from '../errors.ts';
import type { Gateway } from '../gateway/gateway.ts';
import type { GuestConnection } from '../guest/client.ts';
import { becoming } from '../guest/setup/becoming.ts';
import { carryOut } from '../guest/setup/client.ts';
import { guestEnvironment } from '../image/bake-script.ts';
import type { ImageDeps, ImageRequest } from '../image/image-build.ts';
import { ensureWarm } from '../image/layers.ts';
import { cloneDisk, verifyImage, type WarmImage } from '../image/warm-image.ts';
import { type Home, type InstancePaths, instancePaths } from '../paths.ts';
import type { Step } from '../plan/types.ts';
import type { VmDriver, VmPlaces, VmProcess, VmShape } from '../vm/driver.ts';
import { bootSupervised } from '../vm/supervise.ts';
import { checkMounts } from '../workspace/check-mounts.ts';
import type { Credentials } from './credentials.ts';
import type { Doors } from './doors.ts';
import type { Guests } from './guests.ts';
import type { MountWatches } from './mount-watches.ts';
import type { Records } from './records.ts';
import { imageRequestOf, type Registries } from './spec-parts.ts';
import { type PreparedWorkspace, prepareWorkspace, releaseWorkspace } from './workspaces.ts';

export interface HandlerDeps {
  home: Home;
  records: Records;
  driver: VmDriver;
  gateway: Gateway;
  doors: Doors;
  credentials: Credentials;
  guests: Guests;
  watches: MountWatches;
  image: ImageDeps;
  registries: () => Promise<Registries>;
}

export interface StepContext {
  id: string;
  signal: AbortSignal;
  onProgress: (message: string) => void;
  onLine: (line: string) => void;
}

type Handler<A extends Step['action']> = (
  deps: HandlerDeps,
  step: Extract<Step, { action: A }>,
  context: StepContext,
) => Promise<void>;

/** How long a resumed or booted guest may take to answer */
const ANSWER_MS = 30_000;

const HANDLERS: { [A in Step['action']]: Handler<A> } = {
  build: async (deps, step, context) => {
    const image = await warmImage(deps, step.spec, context);
    const record = deps.records.get(context.id);
    // From here on `gc` keeps the layers. `create` finds the image again by its key, in milliseconds.
    if (record?.applied === null) await deps.records.update(context.id, { image });
  },
  create,
  start,
  stop: async (deps, _step, context) => stopVm(deps, context),
  network: async (deps, step, context) => {
    await deps.doors.open(context.id, step.spec);
  },
  record: async (deps, step, context) => {
    const record = deps.records.require(context.id);
    deps.credentials.bind(context.id, step.spec);
    await configureGuest(deps, context.id, step.spec);
    await deps.records.update(context.id, {
      applied: step.spec,
      target: step.spec,
      stoppedByUser: record.stoppedByUser,
    });
  },
  destroy: async (deps, _step, context) => {
    await stopVm(deps, context);
    await deps.doors.close(context.id);
    await deps.credentials.forget(context.id);
    await releaseWorkspace(deps.home, context.id);
    deps.records.remove(context.id);
  },
};

export async function execute(deps: HandlerDeps, step: Step, context: StepContext): Promise<void> {
  const handler = HANDLERS[step.action] as Handler<typeof step.action>;
  await handler(deps, step as never, context);
}

/** A fresh clone of the warm snapshot: the instance's earlier disk, if there was one, is gone. */
async function create(
  deps: HandlerDeps,
  step: Extract<Step, { action: 'create' }>,
  context: StepContext,
): Promise<void> {
  const { id, signal } = context;
  const { spec } = step;
  const image = await warmImage(deps, spec, context);
  const paths = instancePaths(deps.home, id);
  await endBefore(deps, id);
  signal.throwIfAborted();
  mkdirSync(paths.dir, { recursive: true, mode: 0o700 });
  const earlier = deps.records.get(id);
  const record = earlier ?? deps.records.require(id);
  await deps.records.put({ ...record, target: spec, applied: null, image, stoppedByUser: false, resumed: null });
  rmSync(paths.disk, { force: true });
  await cloneDisk(image, paths.disk);
  const workspace = await prepareWorkspace(deps.home, id, spec);
  // A fresh machine trusts a fresh authority.
  await deps.doors.close(id);
  rmSync(paths.authority, { force: true });
  await deps.credentials.renew(id);
  await deps.doors.open(id, spec);
  const vm = await deps.driver.restore(shapeOfInstance(image, paths, spec, workspace), image.warm, placesOf(paths), {
    signal,
    beforeRun: (started) => mustShow(started, workspace),
  });
  await settle(deps, context, { spec, vm, workspace, fresh: true });
}

/** A cold boot on the instance's own disk; a running VM whose guest was never resumed goes on from there. */
async function start(deps: HandlerDeps, step: Extract<Step, { action: 'start' }>, context: StepContext): Promise<void> {
  const { id, signal } = context;
  const { spec } = step;
  const record = deps.records.require(id);
  const paths = instancePaths(deps.home, id);
  if (record.image === null || !existsSync(paths.disk)) return create(deps, { ...step, action: 'create' }, context);
  await endBefore(deps, id);
  const { image } = record;
  context.onProgress('checking the layers under its disk');
  await verifyImage(deps.image, image);
  const workspace = await prepareWorkspace(deps.home, id, spec);
  await deps.doors.open(id, spec);
  await deps.records.update(id, { stoppedByUser: false, resumed: null });
  const { process: vm, guest } = await bootSupervised(
    deps.driver,
    shapeOfInstance(image, paths, spec, workspace),
    placesOf(paths),
    { signal, beforeRun: (started) => mustShow(started, workspace) },
  );
  await guest[Symbol.asyncDispose]();
  await settle(deps, context, { spec, vm, workspace, fresh: false });
}

/** The machine of before, with all that looks after it. */
async function endBefore(deps: HandlerDeps, id: string): Promise<void> {
  deps.watches.stop(id);
  await deps.guests.drop(id);
  await deps.driver.destroy(placesOf(instancePaths(deps.home, id)));
}

/** Between planning the mounts and making them, another sandbox of the same workspace may have put a link where a folder was. */
async function mustShow(vm: VmProcess, workspace: PreparedWorkspace): Promise<void> {
  const faults = checkMounts({ pid: vm.pid, mounts: workspace.jailMounts, identities: workspace.identities });
  const [first] = faults;
  if (first === undefined) return;
  throw new SbxError('workspace', 'the workspace changed while the sandbox was made', {
    why: faults.map(({ mount, what }) => `${mount.source} → ${mount.target}: ${what}`).join(', '),
    hint: 'try again; if it stays so, another program or sandbox exchanges files there',
  });
}

async function stopVm(deps: HandlerDeps, context: StepContext): Promise<void> {
  const paths = instancePaths(deps.home, context.id);
  const places = placesOf(paths);
  deps.watches.stop(context.id);
  const guest = deps.guests.get(context.id);
  if (deps.driver.find(places) !== undefined && guest !== undefined) await powerOff(deps.driver, places, guest);
  await deps.guests.drop(context.id);
  await deps.driver.destroy(places);
  await releaseWorkspace(deps.home, context.id);
}

/** The guest writes its disks out and ends; one that does not within a moment is ended. */
async function powerOff(
  driver: VmDriver,
  places: VmPlaces,
  guest: NonNullable<ReturnType<Guests['get']>>,
): Promise<void> {
  await Promise.race([
    guest.request('shutdown', {}).catch(() => {}),
    new Promise((resolve) => setTimeout(resolve, 5_000)),
  ]);
  for (let tries = 0; tries < 100 && driver.find(places) !== undefined; tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 20));
}

interface Started {
  spec: SandboxSpec;
  vm: VmProcess;
  workspace: PreparedWorkspace;
  /** Nobody has spoken to its agent yet */
  fresh: boolean;
}

/** Makes a guest a sandbox of its own: entropy, clock, identity, workspace, environment. Only then commands run; its agent begins to answer meanwhile. */
async function settle(deps: HandlerDeps, context: StepContext, started: Started): Promise<void> {
  const { spec, vm, workspace, fresh } = started;
  const { id } = context;
  const paths = instancePaths(deps.home, id);
  const signal = within(ANSWER_MS, context.signal);
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

/** Takes over an instance that was running before this daemon: its door, and the watch over its mounts. */
export async function takeOver(deps: HandlerDeps, id: string, spec: SandboxSpec, vm: VmProcess): Promise<void> {
  await deps.doors.open(id, spec);
  const workspace = await prepareWorkspace(deps.home, id, spec);
  // What the host has put in place of a covered file meanwhile is the thing to cover now.
  deps.watches.start(id, vm.pid, { ...workspace, identities: {} });
}

/** For the commands that begin from now on; nothing where no guest is connected. */
export async function configureGuest(deps: HandlerDeps, id: string, spec: SandboxSpec): Promise<void> {
  const guest = deps.guests.get(id);
  if (guest !== undefined) await configure(deps, id, { guest, spec, signal: within(ANSWER_MS) });
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

async function warmImage(deps: HandlerDeps, spec: SandboxSpec, context: StepContext): Promise<WarmImage> {
  const request: ImageRequest = imageRequestOf(spec, guestEnvironment(await deps.registries()));
  return ensureWarm(deps.image, request, {
    onProgress: context.onProgress,
    onLine: context.onLine,
    signal: context.signal,
  });
}

function shapeOfInstance(
  image: WarmImage,
  paths: InstancePaths,
  spec: SandboxSpec,
  workspace: PreparedWorkspace,
): VmShape {
  return {
    cpus: spec.resources.cpus,
    memoryBytes: spec.resources.memoryBytes,
    kernel: image.kernel,
    initrd: image.initrd,
    cmdline: '',
    disks: [
      { serial: 'sbx-root', path: paths.disk, format: 'qcow2', readonly: false, backing: image.backing },
      image.runtimeDisk,
    ],
    mounts: workspace.jailMounts,
  };
}

export function placesOf(paths: InstancePaths): VmPlaces {
  return {
    dir: paths.dir,
    run: paths.run,
    qmp: paths.qmp,
    agent: paths.agent,
    setup: paths.setup,
    door: paths.door,
    process: paths.process,
    console: paths.console,
    monitorLog: paths.monitorLog,
  };
}
