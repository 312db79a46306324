/** The engine of this host: QEMU VMs in jails, cloned from warm snapshots. Everything is found again on disk; nothing lives only in memory. */
import type { GuestConnection } from '../../guest/client/connection.ts';
import { instancePaths } from '../../paths.ts';
import type { Step } from '../../plan/types.ts';
import type { SandboxSpec } from '../../spec/spec.ts';
import type { Grant } from '../../state/grants.ts';
import type { PortRule } from '../../state/port-book.ts';
import { boundConsole } from '../../vm/console-log.ts';
import type { AcceptRequest, PrivateWork, PrivateWorkRequest } from '../../workspace/changes/private-work.ts';
import type {
  Collected,
  Engine,
  GarbageRules,
  PortChange,
  SandboxStatusFacts,
  SandboxStorage,
  SnapshotRequest,
  StepContext,
} from '../engine.ts';
import { StepError } from '../step-error.ts';
import { createDiskWatch, type DiskWatch } from './disk/disk-watch.ts';
import { snapshots } from './disk/snapshots.ts';
import { CAPABILITIES, engineParts, type LocalEngineOptions } from './engine-parts.ts';
import { collectUnused } from './garbage.ts';
import { type ClockWatch, createClockWatch } from './guests/clock-sync.ts';
import { environmentOf } from './guests/environment.ts';
import { Pool } from './pool/pool.ts';
import { endPooled, isAlive, isPooled, makePooled } from './pool/pooled-clone.ts';
import { ResizedImages } from './pool/resized-images.ts';
import { SandboxPorts } from './sandbox-ports.ts';
import { statusFacts, storageOf, usageOf } from './status-facts.ts';
import { destroy } from './steps/destroy.ts';
import { observe } from './steps/observe.ts';
import { runStep } from './steps/run-step.ts';
import { type StepDeps, warmImage } from './steps/step-deps.ts';
import { settleCutOff } from './suspend/cut-off.ts';
import { recover } from './vm/recover.ts';
import { acceptPrivate } from './workspace/accept-private.ts';
import { explainHostPath } from './workspace/explain-path.ts';
import { removeKept } from './workspace/kept.ts';
import { privateWork } from './workspace/private-work.ts';
import { mailboxOf } from './workspace/workspaces.ts';

const ANSWER_MS = 10_000;
const ENDS_VM: ReadonlySet<Step['action']> = new Set(['create', 'start', 'stop', 'suspend', 'resume', 'destroy']);

export class LocalEngine implements Engine {
  readonly capabilities = CAPABILITIES;
  readonly #deps: StepDeps;
  readonly #ports: SandboxPorts;
  readonly #disks: DiskWatch;
  readonly #resized: ResizedImages;
  readonly #clocks: ClockWatch = createClockWatch();
  readonly #log: LocalEngineOptions['log'];

  constructor(options: LocalEngineOptions) {
    const parts = engineParts(options);
    this.#resized = new ResizedImages({
      log: options.log,
      build: (spec, events) => warmImage(this.#deps, spec, { ...events, onLine: () => {} }),
    });
    const pool = new Pool({
      log: options.log,
      records: () => parts.records.list().map((record) => this.#resized.withImage(record)),
      make: (request) => makePooled(parts, request),
      end: (id) => endPooled(this.#deps, id),
      isAlive: (clone) => isAlive(parts, clone),
    });
    this.#deps = { ...parts, pool };
    this.#ports = new SandboxPorts(parts, (id) => this.#connect(id));
    this.#disks = createDiskWatch(parts.driver);
    this.#log = options.log;
  }

  async recover(): Promise<void> {
    await recover(this.#deps, {
      isPooled,
      endPooled: (id) => endPooled(this.#deps, id),
      settle: (record) => settleCutOff(this.#deps, record),
      log: this.#log,
    });
    await Promise.all(this.#deps.records.list().map(({ id }) => this.#ports.sync(id)));
  }

  observe(id: string, signal?: AbortSignal) {
    return observe(this.#deps, id, signal);
  }

  async run(step: Step, context: StepContext): Promise<void> {
    try {
      // A client that connects again must meet neither the VM that ends nor the one that starts.
      if (ENDS_VM.has(step.action)) await this.#ports.close(context.id);
      await runStep(this.#deps, step, context);
    } catch (error) {
      throw new StepError(step, error);
    } finally {
      await this.#ports.sync(context.id);
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
    await this.#ports.sync(id);
  }

  networkHash(id: string, spec: SandboxSpec): string {
    return this.#deps.egress.hashFor(id, spec);
  }

  grant(id: string, spec: SandboxSpec, added: Grant[]) {
    return { grants: this.#deps.egress.grant(id, spec, added), live: this.#isOpen(id) };
  }

  deny(id: string, spec: SandboxSpec, added: Grant[]) {
    return { denials: this.#deps.egress.deny(id, spec, added), live: this.#isOpen(id) };
  }

  revoke(id: string, texts: readonly string[]) {
    return { revoked: this.#deps.egress.revoke(id, texts), live: this.#isOpen(id) };
  }

  #isOpen(id: string): boolean {
    return this.#deps.gateway.hashOf(id) !== undefined;
  }

  changePorts(id: string, change: PortChange) {
    return this.#ports.change(id, change);
  }

  listeningPorts(id: string) {
    return this.#ports.listening(id);
  }

  declinePorts(id: string, ports: readonly number[]) {
    this.#ports.decline(id, ports);
  }

  holdPorts(id: string, rules: PortRule[], signal: AbortSignal) {
    return this.#ports.hold(id, rules, signal);
  }

  explainPath(id: string, spec: SandboxSpec, path: string) {
    return explainHostPath(this.#deps, { id, spec, path });
  }

  status(id: string): SandboxStatusFacts {
    const parts = { ports: this.#ports, disks: this.#disks, resized: this.#resized };
    return statusFacts(this.#deps, parts, id);
  }

  usage(id: string) {
    return usageOf(this.#deps, id);
  }

  privateWork(request: PrivateWorkRequest): Promise<PrivateWork> {
    return privateWork(this.#deps, request);
  }

  acceptPrivate(request: AcceptRequest): Promise<void> {
    return acceptPrivate(this.#deps, request);
  }

  storage(id: string): Promise<SandboxStorage> {
    return storageOf(this.#deps, this.#resized, id);
  }

  snapshots(id: string, request: SnapshotRequest) {
    return snapshots(this.#deps, id, request);
  }

  /** A pooled clone may have the folders mounted still. */
  async removeKept(id: string): Promise<void> {
    await this.#deps.pool.shrink();
    removeKept(this.#deps.home, id);
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
      void this.#ports.sync(id);
    }
  }

  get pooled(): number {
    return this.#deps.pool.size;
  }

  collectGarbage(rules: GarbageRules): Promise<Collected> {
    return collectUnused(this.#deps, this.#resized, rules);
  }

  #connect(id: string): Promise<GuestConnection> {
    const { guests, home } = this.#deps;
    return guests.connect(id, instancePaths(home, id).agent, { fresh: false, timeoutMs: ANSWER_MS });
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
