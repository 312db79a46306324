/** The engine of this host: QEMU VMs in jails, cloned from warm snapshots. Everything is found again on disk; nothing lives only in memory. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { SbxError } from '../../errors.ts';
import { createGateway } from '../../gateway/gateway.ts';
import type { GuestConnection } from '../../guest/client/connection.ts';
import type { Registries } from '../../image/bake/bake-script.ts';
import { findRuntimeParts } from '../../image/platform/runtime.ts';
import { collectGarbage } from '../../image/store/gc.ts';
import { openStore } from '../../image/store/store.ts';
import type { WarmImage } from '../../image/warm/warm-image.ts';
import type { Log } from '../../log.ts';
import { ensurePrivateDir, type Home, instancePaths } from '../../paths.ts';
import type { Step } from '../../plan/types.ts';
import type { Secrets } from '../../secrets/secrets.ts';
import type { SandboxSpec } from '../../spec/spec.ts';
import { cached } from '../../state/cached.ts';
import type { Grant } from '../../state/grants.ts';
import type { InstanceRecord, Records } from '../../state/records.ts';
import { boundConsole } from '../../vm/console-log.ts';
import { createQemuDriver } from '../../vm/qemu/driver.ts';
import type { AcceptRequest, PrivateWork, PrivateWorkRequest } from '../../workspace/changes/private-work.ts';
import { WorkspaceServers } from '../../workspace/client/servers.ts';
import { followHostGit } from '../../workspace/host-git-changes.ts';
import type {
  Capability,
  Collected,
  Engine,
  GarbageRules,
  PortChange,
  SandboxStatusFacts,
  SandboxStorage,
  StepContext,
} from '../engine.ts';
import { StepError } from '../step-error.ts';
import { createCredentials } from './credentials/credentials.ts';
import { createEgress, openBakeEgress } from './egress/egress.ts';
import { Guests } from './guests/connections.ts';
import { environmentOf } from './guests/environment.ts';
import { Pool } from './pool/pool.ts';
import { endPooled, isAlive, isPooled, makePooled } from './pool/pooled-clone.ts';
import { ResizedImages } from './pool/resized-images.ts';
import { Ports, type WantedPorts } from './ports/ports.ts';
import { destroy } from './steps/destroy.ts';
import { isFinalized, observe } from './steps/observe.ts';
import { runStep } from './steps/run-step.ts';
import { type StepDeps, warmImage } from './steps/step-deps.ts';
import { acceptPrivate } from './vm/accept-private.ts';
import { type ClockWatch, createClockWatch } from './vm/clock-sync.ts';
import type { VmDeps } from './vm/deps.ts';
import { createDiskWatch, type DiskWatch } from './vm/disk-watch.ts';
import { explainHostPath } from './vm/explain-path.ts';
import { privateWork } from './vm/private-work.ts';
import { recover } from './vm/recover.ts';
import { guestOf, mailboxOf } from './vm/workspaces.ts';

export interface LocalEngineOptions {
  home: Home;
  records: Records;
  secrets: Secrets;
  /** Folder of the bundles: the guest agent lies below it */
  distDir: string;
  registries: () => Promise<Registries>;
  /** Hosts that a bake may reach */
  bakeHosts: () => Promise<{ host: string; port: number }[]>;
  /** A VM ended, or its guest agent restarted: observe the sandbox again */
  onChange: (id: string) => void;
  log: Log;
}

const ANSWER_MS = 10_000;
const ENDS_VM: ReadonlySet<Step['action']> = new Set(['create', 'start', 'stop', 'destroy']);

export class LocalEngine implements Engine {
  readonly capabilities: ReadonlySet<Capability> = new Set([
    'lifecycle.pool',
    'mounts',
    'credentials',
    'network.http',
    'ports',
  ]);
  readonly #deps: StepDeps;
  readonly #ports: Ports;
  readonly #disks: DiskWatch;
  readonly #resized: ResizedImages;
  readonly #clocks: ClockWatch = createClockWatch();
  readonly #log: Log;

  constructor(options: LocalEngineOptions) {
    const parts = vmDepsOf(options);
    this.#resized = new ResizedImages({
      log: options.log,
      build: (spec, signal) => warmImage(this.#deps, spec, { signal, onProgress: () => {}, onLine: () => {} }),
    });
    const pool = new Pool({
      log: options.log,
      records: () => parts.records.list().map((record) => this.#resized.withImage(record)),
      make: (request) => makePooled(parts, request),
      end: (id) => endPooled(parts, id),
      isAlive: (clone) => isAlive(parts, clone),
    });
    this.#deps = { ...parts, pool };
    this.#ports = new Ports({
      home: parts.home,
      connect: (id) => this.#connectReady(id),
      nameOf: (id) => parts.records.get(id)?.name ?? id,
    });
    this.#disks = createDiskWatch(parts.driver);
    this.#log = options.log;
  }

  async recover(): Promise<void> {
    await recover(this.#deps, { isPooled, endPooled: (id) => endPooled(this.#deps, id), log: this.#log });
    await Promise.all(this.#deps.records.list().map(({ id }) => this.#syncPorts(id)));
  }

  observe(id: string, signal?: AbortSignal) {
    return observe(this.#deps, id, signal);
  }

  async run(step: Step, context: StepContext): Promise<void> {
    try {
      // A client that connects again must meet neither the VM that ends nor the one that starts.
      if (ENDS_VM.has(step.action)) await this.#ports.sync(context.id, { spec: [], running: false });
      await runStep(this.#deps, step, context);
    } catch (error) {
      throw new StepError(step, error);
    } finally {
      await this.#syncPorts(context.id);
    }
  }

  async open(id: string, spec: SandboxSpec) {
    const { guests } = this.#deps;
    const connection = await this.#connect(id);
    const environment = await environmentOf(this.#deps, id, spec);
    return {
      connection,
      environment,
      mailbox: mailboxOf(this.#deps, id),
      watchSessions: () => guests.watchSessions(id),
    };
  }

  async destroy(id: string): Promise<void> {
    const context = { id, signal: new AbortController().signal, onProgress: () => {}, onLine: () => {} };
    await destroy(this.#deps, { action: 'destroy', sandbox: id }, context);
    await this.#syncPorts(id);
  }

  networkHash(id: string, spec: SandboxSpec): string {
    return this.#deps.egress.hashFor(id, spec);
  }

  grant(id: string, spec: SandboxSpec, added: Grant[]) {
    const grants = this.#deps.egress.grant(id, spec, added);
    return { grants, live: this.#isOpen(id) };
  }

  deny(id: string, spec: SandboxSpec, added: Grant[]) {
    const denials = this.#deps.egress.deny(id, spec, added);
    return { denials, live: this.#isOpen(id) };
  }

  revoke(id: string, texts: readonly string[]) {
    return { revoked: this.#deps.egress.revoke(id, texts), live: this.#isOpen(id) };
  }

  #isOpen(id: string): boolean {
    return this.#deps.gateway.hashOf(id) !== undefined;
  }

  async changePorts(id: string, change: PortChange) {
    const wanted = this.#wantedPorts(id);
    await this.#ports.change(id, () => this.#wantedPorts(id), change);
    return { ports: this.#ports.stateOf(id, wanted.spec), live: wanted.running };
  }

  explainPath(id: string, spec: SandboxSpec, path: string) {
    return explainHostPath(this.#deps, { id, spec, path });
  }

  status(id: string): SandboxStatusFacts {
    const { driver, home, guests, gateway, records, workspaces } = this.#deps;
    const vm = driver.find(instancePaths(home, id));
    const record = records.get(id);
    return {
      vm,
      finalized: vm !== undefined && record !== undefined && isFinalized(record, vm),
      connected: guests.answers(id),
      outOfMemory: vm === undefined ? undefined : guests.outOfMemory(id),
      diskBytes: allocatedBytes(instancePaths(home, id).disk),
      sessions: guests.sessionsOf(id),
      networkReady: gateway.hashOf(id) !== undefined,
      workspaceWatched: vm === undefined ? undefined : workspaces.watchedOf(guestOf(home, id)),
      diskFull: this.#disks.isWaiting(id),
      workspace: vm === undefined ? undefined : workspaces.state(guestOf(home, id)),
      ports: this.#ports.stateOf(id, (record?.applied ?? record?.target)?.ports ?? []),
      portUsage: this.#ports.usage(id),
    };
  }

  privateWork(request: PrivateWorkRequest): Promise<PrivateWork> {
    return privateWork(this.#deps, request);
  }

  acceptPrivate(request: AcceptRequest): Promise<void> {
    return acceptPrivate(this.#deps, request);
  }

  async storage(id: string): Promise<SandboxStorage> {
    const { home, image, records, pool } = this.#deps;
    const { dir } = instancePaths(home, id);
    const record = records.require(id);
    const { image: own, applied } = record;
    const forClones = this.#resized.withImage(record).image;
    const layers = await image.store.list();
    const bytesOf = (kind: string, key: string) =>
      layers.find((layer) => layer.kind === kind && layer.key === key)?.bytes ?? 0;
    return {
      instanceDir: dir,
      layers: (own?.chain ?? []).map(({ kind, key }) => ({ kind, key, bytes: bytesOf(kind, key) })),
      pool: {
        wanted: applied?.lifecycle.pool ?? 0,
        waiting: applied === null || forClones === null ? 0 : pool.waiting(applied, forClones),
      },
    };
  }

  shrinkPool(): Promise<void> {
    return this.#deps.pool.shrink();
  }

  fillPool(): void {
    const { pool, records } = this.#deps;
    void pool.fill();
    void this.#resized.fill(() => records.list()).then(() => pool.fill());
  }

  tick(): void {
    const { records, guests, home } = this.#deps;
    const all = records.list();
    void this.#clocks.check(all.flatMap(({ id }) => guests.get(id) ?? []));
    void this.#disks.check(all.map(({ id }) => ({ id, paths: instancePaths(home, id) })));
    this.fillPool();
    for (const { id } of all) {
      boundConsole(instancePaths(home, id).console);
      void this.#syncPorts(id);
    }
  }

  get pooled(): number {
    return this.#deps.pool.size;
  }

  collectGarbage(rules: GarbageRules): Promise<Collected> {
    const { records, image } = this.#deps;
    const used = [...records.list().flatMap(layersOf), ...this.#resized.layers];
    return collectGarbage(image.store, used, rules);
  }

  #connect(id: string): Promise<GuestConnection> {
    const { guests, home } = this.#deps;
    return guests.connect(id, instancePaths(home, id).agent, { fresh: false, timeoutMs: ANSWER_MS });
  }

  /** Not before its identity: a connection that waits for the next VM would take the place of the one that boots it. */
  async #connectReady(id: string): Promise<GuestConnection> {
    if (!this.#wantedPorts(id).running) throw new SbxError('not-running', 'the sandbox is not running');
    return this.#connect(id);
  }

  #syncPorts(id: string): Promise<void> {
    return this.#ports.sync(id, this.#wantedPorts(id));
  }

  /** Those of the applied spec, from when the guest has its identity to the end of its VM. */
  #wantedPorts(id: string): WantedPorts {
    const { driver, home, records } = this.#deps;
    const record = records.get(id);
    const vm = driver.find(instancePaths(home, id));
    const running = record?.applied != null && vm !== undefined && isFinalized(record, vm);
    return { spec: record?.applied?.ports ?? [], running };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ports[Symbol.dispose]();
    this.#deps.egress[Symbol.dispose]();
    await this.#deps.workspaces[Symbol.asyncDispose]();
    await this.#resized[Symbol.asyncDispose]();
    await this.#deps.pool[Symbol.asyncDispose]();
    await this.#deps.guests[Symbol.asyncDispose]();
    await this.#deps.gateway[Symbol.asyncDispose]();
  }
}

/** Of a file, without its holes; 0 when there is none. */
function allocatedBytes(path: string): number {
  return (statSync(path, { throwIfNoEntry: false })?.blocks ?? 0) * 512;
}

function layersOf({ image, built, bootedWith }: InstanceRecord): WarmImage['chain'] {
  return [...(image?.chain ?? []), ...(built?.chain ?? []), ...(bootedWith ?? [])];
}

function vmDepsOf({ home, records, secrets, onChange, log, ...options }: LocalEngineOptions): VmDeps {
  const gateway = createGateway();
  const driver = createQemuDriver({ probeCache: home.probes });
  const refOf = (id: string) => {
    const { projectDir, name } = records.require(id);
    return { dir: projectDir, name };
  };
  const ids = records.list().map(({ id }) => id);
  const credentials = createCredentials({ home, secrets, refOf, ids });
  const workspaces = new WorkspaceServers({ home, distDir: options.distDir, log, follow: followHostGit });
  return {
    home,
    records,
    driver,
    gateway,
    egress: createEgress({ home, gateway, credentials }),
    credentials,
    guests: new Guests(onChange),
    workspaces,
    image: {
      store: openStore(ensurePrivateDir(home.store)),
      driver,
      runtimeParts: () => findRuntimeParts(options.distDir),
      openEgress: async ({ dir, egress }, name) =>
        openBakeEgress(gateway, { dir, socketPath: join(egress, 'proxy'), name, hosts: await options.bakeHosts() }),
      logs: ensurePrivateDir(join(home.root, 'logs')),
    },
    registries: cached(options.registries),
  };
}
