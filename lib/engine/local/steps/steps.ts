/** One handler a step: each brings one part of the world to what the step says, and may be run again after being killed anywhere. */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { guestEnvironment } from '../../../image/bake/bake-script.ts';
import { ensureWarm } from '../../../image/layers.ts';
import type { ImageRequest } from '../../../image/store/image-build.ts';
import { verifyImage, type WarmImage } from '../../../image/warm/warm-image.ts';
import { instancePaths } from '../../../paths.ts';
import type { Step } from '../../../plan/types.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';
import { bootSupervised } from '../../../vm/boot-supervisor.ts';
import type { VmProcess } from '../../../vm/driver.ts';
import { claim } from '../pool/pooled-clone.ts';
import { settle } from '../vm/finalize-start.ts';
import { imageRequestOf } from '../vm/image-request.ts';
import { powerOff } from '../vm/power-off.ts';
import { type CloneRequest, type Machine, mustShow, resumeClone, vmConfigOf } from '../vm/resume-clone.ts';
import { prepareWorkspace, releaseWorkspace } from '../vm/workspaces.ts';
import type { HandlerDeps, StepContext } from './step-deps.ts';

type Handler<A extends Step['action']> = (
  deps: HandlerDeps,
  step: Extract<Step, { action: A }>,
  context: StepContext,
) => Promise<void>;

const HANDLERS: { [A in Step['action']]: Handler<A> } = {
  build: async (deps, step, context) => {
    const image = await warmImage(deps, step.spec, context);
    BUILT.set(step.spec, { image, at: performance.now() });
    const record = deps.records.get(context.id);
    // From here on `gc` keeps the layers.
    if (record?.applied === null) await deps.records.update(context.id, { image });
  },
  create,
  start,
  stop: async (deps, _step, context) => stopVm(deps, context),
  network: async (deps, step, context) => {
    await deps.egress.open(context.id, step.spec);
  },
  record: async (deps, step, context) => {
    const record = deps.records.require(context.id);
    deps.credentials.bind(context.id, step.spec);
    await deps.records.update(context.id, {
      applied: step.spec,
      target: step.spec,
      stopped: record.stopped,
    });
  },
  destroy: async (deps, _step, context) => {
    await stopVm(deps, context);
    await deps.egress.close(context.id);
    await deps.credentials.forget(context.id);
    await releaseWorkspace(deps.home, context.id);
    deps.records.remove(context.id);
  },
};

/** What `build` found and verified, for the `create` that follows at once. Later it is verified again. */
const BUILT = new WeakMap<SandboxSpec, { image: WarmImage; at: number }>();
const AT_ONCE_MS = 500;

function justBuilt(spec: SandboxSpec): WarmImage | undefined {
  const built = BUILT.get(spec);
  BUILT.delete(spec);
  return built !== undefined && performance.now() - built.at < AT_ONCE_MS ? built.image : undefined;
}

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
  const image = justBuilt(spec) ?? (await warmImage(deps, spec, context));
  const paths = instancePaths(deps.home, id);
  await endBefore(deps, id);
  signal.throwIfAborted();
  mkdirSync(paths.dir, { recursive: true, mode: 0o700 });
  const earlier = deps.records.get(id);
  const record = earlier ?? deps.records.require(id);
  await deps.records.put({ ...record, target: spec, applied: null, image, stopped: null, resumed: null });
  rmSync(paths.disk, { force: true });
  const wanted = { id, spec, image, signal };
  const machine =
    (await fromPool(deps, wanted, context)) ?? (await resumeClone(deps, wanted, () => freshEgress(deps, id, spec)));
  await settle(deps, context, { spec, ...machine, fresh: true });
}

/** One that waits, where one fits. */
async function fromPool(deps: HandlerDeps, wanted: CloneRequest, context: StepContext): Promise<Machine | undefined> {
  const clone = deps.pool.take(wanted.spec, wanted.image);
  if (clone === undefined) return undefined;
  const machine = await claim(deps, clone, { ...wanted, openEgress: () => freshEgress(deps, wanted.id, wanted.spec) });
  if (machine !== undefined) context.onProgress('a clone from the pool');
  return machine;
}

/** A fresh machine trusts a fresh authority. */
async function freshEgress(deps: HandlerDeps, id: string, spec: SandboxSpec): Promise<void> {
  await deps.egress.close(id);
  rmSync(instancePaths(deps.home, id).authority, { force: true });
  await deps.credentials.renew(id);
  await deps.egress.open(id, spec);
}

/** A cold boot on the instance's own disk. */
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
  await deps.egress.open(id, spec);
  await deps.records.update(id, { stopped: null, resumed: null });
  const { process: vm, guest } = await bootSupervised(
    deps.driver,
    vmConfigOf({ spec, image, disk: paths.disk, workspace }),
    paths,
    { signal, beforeRun: (started) => mustShow(started, workspace) },
  );
  await guest[Symbol.asyncDispose]();
  await settle(deps, context, { spec, vm, workspace, fresh: false });
}

/** The machine of before, with all that looks after it. */
async function endBefore(deps: HandlerDeps, id: string): Promise<void> {
  deps.watches.stop(id);
  await deps.guests.drop(id);
  await deps.driver.destroy(instancePaths(deps.home, id));
}

async function stopVm(deps: HandlerDeps, context: StepContext): Promise<void> {
  const paths = instancePaths(deps.home, context.id);
  const places = paths;
  deps.watches.stop(context.id);
  const guest = deps.guests.get(context.id);
  if (deps.driver.find(places) !== undefined && guest !== undefined) await powerOff(deps.driver, places, guest);
  await deps.guests.drop(context.id);
  await deps.driver.destroy(places);
  await releaseWorkspace(deps.home, context.id);
}

/** Takes over an instance that was running before this daemon: its door, and the watch over its mounts. */
export async function takeOver(deps: HandlerDeps, id: string, spec: SandboxSpec, vm: VmProcess): Promise<void> {
  await deps.egress.open(id, spec);
  const workspace = await prepareWorkspace(deps.home, id, spec);
  // What the host has put in place of a covered file meanwhile is the thing to cover now.
  deps.watches.start(id, vm.pid, { ...workspace, identities: {} });
}

async function warmImage(deps: HandlerDeps, spec: SandboxSpec, context: StepContext): Promise<WarmImage> {
  const request: ImageRequest = imageRequestOf(spec, guestEnvironment(await deps.registries.refresh()));
  return ensureWarm(deps.image, request, {
    onProgress: context.onProgress,
    onLine: context.onLine,
    signal: context.signal,
  });
}
