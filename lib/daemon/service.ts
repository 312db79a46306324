/** The daemon's work behind its HTTP interface: everything is found again on disk, nothing lives only in here. */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { ProjectSpec, SandboxSpec } from '../config/spec.ts';
import { SbxError, toErrorJson } from '../errors.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { createGateway } from '../gateway/gateway.ts';
import { relayGuest } from '../guest/relay.ts';
import { endAbandoned } from '../image/bake-places.ts';
import { collectGarbage } from '../image/gc.ts';
import { findRuntimeParts } from '../image/runtime.ts';
import { openStore, type Store } from '../image/store.ts';
import { createSupervisor, type StepEvent, type Supervisor } from '../machines/supervisor.ts';
import { ensurePrivateDir, type Home, instancePaths } from '../paths.ts';
import { planProject, planSandbox } from '../plan/plan.ts';
import type { Step } from '../plan/types.ts';
import { wideningHash } from '../plan/widening.ts';
import { openSecrets, type Secrets } from '../secrets/secrets.ts';
import { boundConsole } from '../vm/bound-console.ts';
import { createQemuDriver } from '../vm/qemu/driver.ts';
import type {
  ApplyRequest,
  ApplyResult,
  DaemonEvent,
  DaemonService,
  PlanRequest,
  PlanResponse,
  RequestContext,
  SandboxStatus,
} from './api.ts';
import { API_VERSION } from './api.ts';
import { chooseSandbox } from './choose-sandbox.ts';
import { createCredentials } from './credentials.ts';
import { createDiskWatch, type DiskWatch } from './disk-watch.ts';
import { createDoors } from './doors.ts';
import { grantsOf, readGrants } from './grants.ts';
import { createGuests } from './guests.ts';
import { configureGuest, execute, type HandlerDeps, placesOf, takeOver } from './handlers.ts';
import { createMountWatches } from './mount-watches.ts';
import { noticesOf } from './notices.ts';
import { observe } from './observe.ts';
import type { WantedGuest } from './open-guest.ts';
import { ownProject } from './own-project.ts';
import { type InstanceRecord, Records } from './records.ts';
import type { Registries } from './spec-parts.ts';
import { statusOf } from './status.ts';

export interface ServiceOptions {
  home: Home;
  /** Folder of the bundles: the guest's agent lies below it */
  distDir: string;
  build: string;
  registries: () => Promise<Registries>;
  /** Hosts that a bake may reach */
  bakeHosts: () => Promise<{ host: string; port: number }[]>;
  onShutdown: () => void;
}

const BACKGROUND_ATTEMPTS = 20;
const LOOK_EVERY_MS = 10_000;

export async function createService(options: ServiceOptions): Promise<DaemonService & AsyncDisposable> {
  const { home } = options;
  const gateway = createGateway();
  const store = openStore(ensurePrivateDir(home.store));
  const outputs = new Map<string, Set<(event: DaemonEvent) => void>>();
  const secrets = openSecrets(home);
  const records = new Records(home);
  const ids = records.list().map(({ id }) => id);
  const credentials = createCredentials({ home, secrets, askerOf: (id) => askerOf(records.require(id)), ids });
  let supervisor: Supervisor;
  const deps: HandlerDeps = {
    home,
    records,
    driver: createQemuDriver({ probeCache: home.probes }),
    gateway,
    doors: createDoors({ home, gateway, credentials }),
    credentials,
    guests: createGuests((id) => supervisor.poke(id)),
    watches: createMountWatches((id, pid, why) => {
      const places = placesOf(instancePaths(home, id));
      // Another machine of the same sandbox has mounts, and a watch, of its own.
      if (deps.driver.find(places)?.pid !== pid) return;
      process.stderr.write(
        `${id}: its mounts could not be put back, it is restarted: ${why instanceof Error ? `${why.message} ${why instanceof SbxError ? why.why : ''}` : JSON.stringify(why)}\n`,
      );
      // Its protected paths are open and stay so: it must not run on. The supervisor starts it again with every mount in place.
      void deps.driver.destroy(places).then(() => supervisor.poke(id));
    }),
    image: {
      store,
      driver: createQemuDriver({ probeCache: home.probes }),
      runtimeParts: () => findRuntimeParts(options.distDir),
      openDoor: (places, name) => openBakeDoor(gateway, options, places.dir, join(places.door, 'proxy'), name),
      logs: ensurePrivateDir(join(home.root, 'logs')),
    },
    registries: options.registries,
  };
  const tell = (id: string, event: DaemonEvent) => {
    for (const listener of outputs.get(id) ?? []) listener(event);
  };
  supervisor = createSupervisor({
    plan: async (id, target, mode, signal) =>
      planSandbox(target, await observe(deps, id, target?.name ?? '', signal), {
        mode,
        networkHash: (spec) => deps.doors.hashFor(id, spec),
      }),
    execute: (id, step, signal) =>
      execute(deps, step, {
        id,
        signal,
        onProgress: (message) => tell(id, { type: 'progress', sandbox: step.sandbox, message }),
        onLine: (line) => tell(id, { type: 'output', sandbox: step.sandbox, line }),
      }),
    concurrency: 2,
    attempts: BACKGROUND_ATTEMPTS,
  });
  await recover(deps, supervisor);
  const disks = createDiskWatch(deps.driver);
  const timer = setInterval(() => {
    void disks.look(deps.records.list().map(({ id }) => ({ id, places: placesOf(instancePaths(home, id)) })));
    for (const record of deps.records.list()) if (!supervisor.busy(record.id)) supervisor.poke(record.id);
    for (const { id } of deps.records.list()) boundConsole(instancePaths(home, id).console);
  }, LOOK_EVERY_MS);
  timer.unref();
  return serviceOf({ options, deps, supervisor, store, secrets, outputs, timer, disks });
}

function askerOf({ projectDir, name }: InstanceRecord): { dir: string; name: string } {
  return { dir: projectDir, name };
}

/** After any end of the daemon before: doors open again, half-removed instances go, everything is watched. */
async function recover(deps: HandlerDeps, supervisor: Supervisor): Promise<void> {
  deps.records.sweep();
  // A daemon that cannot clean up is better than none.
  await endAbandoned(deps.image.store, deps.image.driver).catch((error: unknown) => {
    process.stderr.write(`what killed builds left could not be removed: ${error}\n`);
  });
  for (const record of deps.records.list()) {
    const vm = deps.driver.find(placesOf(instancePaths(deps.home, record.id)));
    if (vm !== undefined && record.applied !== null)
      await takeOver(deps, record.id, record.applied, vm).catch(() => {});
    // What an unfinished apply left is finished by the next one: in the background only what was applied is kept.
    if (record.applied !== null) supervisor.watch(record.id, record.applied);
  }
}

async function openBakeDoor(
  gateway: Gateway,
  options: ServiceOptions,
  dir: string,
  socketPath: string,
  name: string,
): Promise<() => Promise<void>> {
  const id = `bake-${createHash('sha256').update(dir).digest('hex').slice(0, 8)}`;
  const hosts = await options.bakeHosts();
  const allow = hosts.map(({ host, port }) => ({ pattern: `${host}:${port}`, trusted: true, text: name }));
  ensurePrivateDir(join(dir, 'door'));
  await gateway.open(id, { socketPath, auditPath: join(dir, 'audit.jsonl'), policy: { allow, deny: [] } });
  return () => gateway.close(id);
}

interface Inner {
  options: ServiceOptions;
  deps: HandlerDeps;
  supervisor: Supervisor;
  store: Store;
  secrets: Secrets;
  outputs: Map<string, Set<(event: DaemonEvent) => void>>;
  timer: NodeJS.Timeout;
  disks: DiskWatch;
}

function serviceOf(inner: Inner): DaemonService & AsyncDisposable {
  const { options, deps, supervisor, store, secrets } = inner;
  const startedAt = new Date().toISOString();
  const applies = new Map<string, Promise<unknown>>();

  const status = (record: InstanceRecord): SandboxStatus =>
    statusOf({
      record,
      vm: deps.driver.find(placesOf(instancePaths(deps.home, record.id))),
      connected: deps.guests.get(record.id) !== undefined,
      sessions: deps.guests.sessionsOf(record.id),
      busy: supervisor.busy(record.id),
      doorOpen: deps.gateway.hashOf(record.id) !== undefined,
      diskFull: inner.disks.isWaiting(record.id),
      error: supervisor.lastError(record.id),
      now: new Date().toISOString(),
    });

  /** One thing at a time for a project: a second caller waits, then looks anew. */
  const inTurn = async <T>(projectDir: string, work: () => Promise<T>): Promise<T> => {
    const before = applies.get(projectDir) ?? Promise.resolve();
    const mine = before.then(work, work);
    const settled = mine.catch(() => {});
    applies.set(projectDir, settled);
    try {
      return await mine;
    } finally {
      if (applies.get(projectDir) === settled) applies.delete(projectDir);
    }
  };

  const converge = async (
    id: string,
    target: SandboxSpec | undefined,
    context: RequestContext,
    steps: ApplyResult['steps'] = [],
  ) => {
    const listeners = inner.outputs.get(id) ?? new Set();
    inner.outputs.set(id, listeners.add(context.emit));
    try {
      await supervisor.converge(id, target, {
        signal: context.signal,
        onStep: (event) => report(event, context, steps),
      });
    } finally {
      listeners.delete(context.emit);
    }
  };

  const observeProject = async (project: ProjectSpec) => {
    const existing = deps.records.list().filter((record) => record.projectDir === project.dir);
    const names = new Set([...project.sandboxes.map(({ name }) => name), ...existing.map(({ name }) => name)]);
    return Promise.all([...names].map((name) => observe(deps, deps.records.idOf(project.dir, name), name)));
  };

  const plan = async ({ project, only }: PlanRequest): Promise<PlanResponse> => {
    checkNames(project, only);
    const observed = await observeProject(project);
    const networkHash = (spec: SandboxSpec) => deps.doors.hashFor(deps.records.idOf(project.dir, spec.name), spec);
    const found = planProject(project, observed, { mode: 'apply', networkHash, only });
    const widening = found.changes.filter(({ widens }) => widens);
    const hash = wideningHash(project);
    const isSet = (name: string) => (secret: string) => secrets.find(secret, { dir: project.dir, name }) !== undefined;
    const meant = project.sandboxes.filter(
      ({ name }) => only === undefined || only.length === 0 || only.includes(name),
    );
    return {
      ...found,
      notices: noticesOf(meant.map((spec) => ({ spec, isSet: isSet(spec.name) }))),
      wideningHash: hash,
      widening,
      approved: widening.length === 0 || deps.records.project(project.dir).approvedHash === hash,
    };
  };

  const apply = async (request: ApplyRequest, context: RequestContext): Promise<ApplyResult> => {
    const { project } = request;
    refuseUnsupported(project);
    const found = await plan(request);
    if (!found.approved && request.acceptWidening !== found.wideningHash) {
      throw new SbxError('refused-widening', 'sandbox.toml gives a sandbox more than was approved', {
        why: found.widening.map((change) => `${change.sandbox}: ${change.path}`).join(', '),
        hint: 'look at `sbx plan`, then run `sbx apply --accept-widening`',
      });
    }
    if (request.only === undefined || found.widening.length > 0)
      await deps.records.putProject({ version: 1, dir: project.dir, approvedHash: found.wideningHash });
    const touched = [...new Set(found.steps.map(({ sandbox }) => sandbox))];
    const steps: ApplyResult['steps'] = [];
    const outcomes = await Promise.allSettled(
      touched.map(async (name) => {
        const id = deps.records.idOf(project.dir, name);
        const spec = project.sandboxes.find((one) => one.name === name);
        if (spec !== undefined) await ensureRecord(deps.records, id, project, spec);
        await converge(id, spec, context, steps);
        if (spec === undefined) supervisor.forget(id);
      }),
    );
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    const sandboxes = deps.records
      .list()
      .filter((record) => record.projectDir === project.dir)
      .map(status);
    return { changes: found.changes, notices: found.notices, steps, sandboxes };
  };

  const withRecord = async <T>(id: string, work: (record: InstanceRecord) => Promise<T>): Promise<T> => {
    const { projectDir } = deps.records.require(id);
    return inTurn(projectDir, () => work(deps.records.require(id)));
  };

  const runSteps = async (id: string, steps: Step[], context: RequestContext) => {
    supervisor.forget(id);
    for (const step of steps) {
      context.emit({ type: 'step', sandbox: step.sandbox, action: step.action, status: 'started' });
      await execute(deps, step, {
        id,
        signal: context.signal,
        onProgress: (message) => context.emit({ type: 'progress', sandbox: step.sandbox, message }),
        onLine: (line) => context.emit({ type: 'output', sandbox: step.sandbox, line }),
      });
      context.emit({ type: 'step', sandbox: step.sandbox, action: step.action, status: 'done' });
    }
  };

  return {
    build: options.build,
    status: () => ({
      pid: process.pid,
      apiVersion: API_VERSION,
      build: options.build,
      startedAt,
      sandboxes: deps.records.list().length,
      memoryBytes: process.memoryUsage().rss,
    }),
    list: async () => deps.records.list().map(status),
    async inspect(id) {
      const record = deps.records.require(id);
      const { dir, disk } = instancePaths(deps.home, id);
      const layers = await store.list();
      return {
        ...status(record),
        spec: record.applied ?? record.target,
        instanceDir: dir,
        grants: readGrants(deps.home, id),
        layers: (record.image?.chain ?? []).map(({ kind, key }) => ({
          kind,
          key,
          bytes: layers.find((layer) => layer.kind === kind && layer.key === key)?.bytes ?? 0,
        })),
        diskBytes: (statSync(disk, { throwIfNoEntry: false })?.blocks ?? 0) * 512,
      };
    },
    plan,
    apply: (request, context) => inTurn(request.project.dir, () => apply(request, context)),
    stop: (id, context) =>
      withRecord(id, async (record) => {
        await deps.records.update(id, { stoppedByUser: true });
        await runSteps(id, [{ action: 'stop', sandbox: record.name }], context);
        if (record.applied !== null) supervisor.watch(id, record.applied);
        return status(deps.records.require(id));
      }),
    start: (id, context) =>
      withRecord(id, async (record) => {
        const target = requireApplied(record);
        await converge(id, target, context);
        return status(deps.records.require(id));
      }),
    reset: (id, context) =>
      withRecord(id, async (record) => {
        const spec = requireApplied(record);
        const sandbox = record.name;
        await runSteps(
          id,
          [
            { action: 'build', sandbox, spec },
            { action: 'create', sandbox, spec },
            { action: 'record', sandbox, spec },
          ],
          context,
        );
        supervisor.watch(id, spec);
        return status(deps.records.require(id));
      }),
    remove: (id, context) =>
      withRecord(id, (record) => runSteps(id, [{ action: 'destroy', sandbox: record.name }], context)),
    async allow(id, { rules, seconds }) {
      const record = deps.records.require(id);
      const grants = deps.doors.grant(id, record.applied ?? record.target, grantsOf(rules, seconds));
      return { grants, live: deps.gateway.hashOf(id) !== undefined };
    },
    approve: ({ before, after }) =>
      inTurn(before.dir, async () => {
        const { approved } = await plan({ project: before });
        if (approved) await deps.records.putProject({ version: 1, dir: after.dir, approvedHash: wideningHash(after) });
        return { approved };
      }),
    secrets: async () => secrets.list(),
    async setSecret(secret) {
      const result = await secrets.set(secret);
      await refreshGuests(deps, secret.name);
      return result;
    },
    async removeSecret({ name, scope }) {
      const removed = await secrets.remove(name, scope);
      if (removed) await refreshGuests(deps, name);
      return { removed };
    },
    async gc({ dryRun }) {
      const used = deps.records.list().flatMap((record) => record.image?.chain ?? []);
      const items = await collectGarbage(store, used, dryRun);
      return { dryRun, items, freedBytes: items.reduce((sum, item) => sum + item.bytes, 0) };
    },
    async guest(wanted) {
      const record = recordOf(deps.records, wanted);
      const { id } = record;
      const paths = instancePaths(deps.home, id);
      const vm = deps.driver.find(placesOf(paths));
      if (vm === undefined)
        throw new SbxError('not-running', `${record.name} is not running`, {
          hint: `run \`sbx start ${record.name}\``,
        });
      // Before the resume sequence is through, there is no workspace and no identity: nothing else runs.
      if (record.resumed?.pid !== vm.pid || record.resumed.startTime !== vm.startTime)
        throw new SbxError('not-running', `${record.name} is still starting`, {
          hint: 'try again in a moment; `sbx ls` shows its state',
        });
      const guest = await deps.guests.connect(id, paths.agent, { fresh: false, timeoutMs: 10_000 });
      const { name, applied, target } = record;
      const { workspace } = applied ?? target;
      return { place: { id, name, workspace: workspace.path }, serve: (socket) => relayGuest(socket, guest) };
    },
    async shutdown() {
      options.onShutdown();
    },
    async [Symbol.asyncDispose]() {
      clearInterval(inner.timer);
      deps.doors[Symbol.dispose]();
      deps.watches[Symbol.dispose]();
      await supervisor.stop();
      await deps.guests[Symbol.asyncDispose]();
      await deps.gateway[Symbol.asyncDispose]();
    },
  };
}

/** @throws SbxError `not-found`, `ambiguous-name` */
function recordOf(records: Records, wanted: WantedGuest): InstanceRecord {
  if ('id' in wanted) return records.require(wanted.id);
  const all = records.list();
  return chooseSandbox(all, ownProject(wanted.cwd, all), wanted.name);
}

/** A variable whose secret was set or removed comes and goes for the next command inside. */
async function refreshGuests(deps: HandlerDeps, secret: string): Promise<void> {
  const users = deps.records.list().flatMap(({ id, applied }) => {
    const uses = applied?.credentials.some((one) => one.secret === secret) === true;
    return uses && applied !== null ? [{ id, spec: applied }] : [];
  });
  // A guest that does not answer gets it when it is resumed.
  await Promise.allSettled(users.map(({ id, spec }) => configureGuest(deps, id, spec)));
}

function report(event: StepEvent, context: RequestContext, steps: ApplyResult['steps']): void {
  const { sandbox, action } = event.step;
  if (event.status === 'waiting') {
    context.emit({ type: 'progress', sandbox, message: 'waiting for its turn' });
    return;
  }
  if (event.status === 'done') steps.push({ sandbox, action, durationMs: event.durationMs ?? 0 });
  context.emit({
    type: 'step',
    sandbox,
    action,
    status: event.status,
    ...(event.error === undefined ? {} : { error: toErrorJson(event.error) }),
    ...(event.durationMs === undefined ? {} : { durationMs: event.durationMs }),
  });
}

/** The instance is on disk before anything is built, so that a killed daemon leaves nothing unknown. */
async function ensureRecord(records: Records, id: string, project: ProjectSpec, target: SandboxSpec): Promise<void> {
  const known = records.get(id);
  if (known !== undefined) {
    await records.put({ ...known, target });
    return;
  }
  await records.put({
    version: 1,
    id,
    name: target.name,
    project: project.name,
    projectDir: project.dir,
    target,
    applied: null,
    image: null,
    stoppedByUser: false,
    resumed: null,
    createdAt: new Date().toISOString(),
  });
}

function requireApplied(record: InstanceRecord): SandboxSpec {
  if (record.applied === null)
    throw new SbxError('busy', `${record.name} was never applied in full`, { hint: 'run `sbx apply` in its project' });
  return record.applied;
}

function refuseUnsupported(project: ProjectSpec): void {
  const [first, ...more] = project.unsupported;
  if (first === undefined) return;
  throw new SbxError('config-unsupported', `${first.path} is not supported yet`, {
    place: first.source,
    ...(more.length === 0
      ? {}
      : { why: `nor are: ${more.map(({ path, source }) => `${path} (line ${source.line})`).join(', ')}` }),
    hint: 'remove it from the file; nothing of the file is ignored silently',
  });
}

function checkNames(project: ProjectSpec, only: string[] | undefined): void {
  const known = project.sandboxes.map(({ name }) => name);
  const unknown = only?.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new SbxError('not-found', `sandbox.toml names no sandbox "${unknown}"`, {
      hint: `it names: ${known.join(', ')}`,
    });
}
