/** An engine over plain data: whatever runs above the engine's boundary runs on it, without a VM. */
import type { Capability, Engine, OpenGuest, SandboxStatusFacts, StepContext } from '../../../lib/engine/engine.ts';
import { StepError } from '../../../lib/engine/step-error.ts';
import { SbxError } from '../../../lib/errors.ts';
import { absent } from '../../../lib/plan/plan.ts';
import type { ObservedSandbox, Step } from '../../../lib/plan/types.ts';
import type { Power } from '../../../lib/spec/desired.ts';
import type { SandboxSpec } from '../../../lib/spec/spec.ts';
import type { Grant } from '../../../lib/state/grants.ts';
import { hash } from '../plan/spec.ts';

export interface TestEngineOptions {
  /** Runs in each step, before it changes anything */
  work?: (step: Step, context: StepContext) => Promise<void> | void;
  /** The recorded desired power of a sandbox */
  power?: (id: string) => Power;
  capabilities?: Capability[];
}

export class TestEngine implements Engine {
  /** What runs, by sandbox */
  readonly world = new Map<string, ObservedSandbox>();
  /** Bytes of each sandbox's disk */
  readonly disks = new Map<string, number>();
  /** `ACTION ID` of each step that was done; `observe ID` of each observation */
  readonly done: string[] = [];
  readonly observed: string[] = [];
  readonly capabilities: ReadonlySet<Capability>;
  readonly pooled = 0;
  readonly #options: TestEngineOptions;

  constructor(options: TestEngineOptions = {}) {
    this.#options = options;
    this.capabilities = new Set(options.capabilities ?? []);
  }

  async observe(id: string): Promise<ObservedSandbox> {
    this.observed.push(id);
    return { ...this.#get(id), power: this.#options.power?.(id) ?? 'on' };
  }

  async run(step: Step, context: StepContext): Promise<void> {
    try {
      context.signal.throwIfAborted();
      await this.#options.work?.(step, context);
    } catch (error) {
      throw new StepError(step, error);
    }
    this.#perform(context.id, step);
    this.done.push(`${step.action} ${context.id}`);
  }

  #get(id: string): ObservedSandbox {
    return this.world.get(id) ?? absent(id);
  }

  #perform(id: string, step: Step): void {
    const now = this.#get(id);
    if (step.action === 'create' || step.action === 'start' || step.action === 'resume') {
      const { generation, boot, spec } = step;
      const { cpus, memoryBytes, diskBytes } = spec.resources;
      const disk = step.action === 'create' ? 0 : (this.disks.get(id) ?? 0);
      this.disks.set(id, Math.max(disk, diskBytes));
      const reached = { name: spec.name, generation: step.action === 'create' ? generation : now.generation, boot };
      this.world.set(id, {
        ...now,
        ...reached,
        suspended: undefined,
        ...{ exists: true, running: true, ready: true, networkHash: hash(spec), size: { cpus, memoryBytes } },
      });
    } else if (step.action === 'stop')
      this.world.set(id, { ...now, running: false, ready: false, size: undefined, suspended: undefined });
    else if (step.action === 'suspend')
      this.world.set(id, { ...now, running: false, ready: false, size: undefined, suspended: now.size });
    else if (step.action === 'grow')
      this.disks.set(id, Math.max(this.disks.get(id) ?? 0, step.spec.resources.diskBytes));
    else if (step.action === 'network') this.world.set(id, { ...now, networkHash: hash(step.spec) });
    else if (step.action === 'record') this.world.set(id, { ...now, applied: step.spec });
    else if (step.action === 'destroy') {
      this.world.delete(id);
      this.disks.delete(id);
    }
  }

  /** The VM of a sandbox ends without a request. */
  crash(id: string, code?: number): void {
    this.world.set(id, { ...this.#get(id), running: false, ready: false, exit: { code, at: 0 } });
  }

  async recover(): Promise<void> {}

  async open(id: string): Promise<OpenGuest> {
    throw new SbxError('not-running', `${id} has no guest agent`);
  }

  async destroy(id: string): Promise<void> {
    this.world.delete(id);
  }

  networkHash(_id: string, spec: SandboxSpec): string {
    return hash(spec);
  }

  grant(_id: string, _spec: SandboxSpec, grants: Grant[]) {
    return { grants, live: true };
  }

  async changePorts() {
    return { ports: [], live: true };
  }

  async listeningPorts() {
    return [];
  }

  declinePorts() {}

  async holdPorts() {
    return [];
  }

  deny(_id: string, _spec: SandboxSpec, denials: Grant[]) {
    return { denials, live: true };
  }

  revoke() {
    return { revoked: { grants: [], denials: [] }, live: true };
  }

  async explainPath() {
    return undefined;
  }

  async privateWork() {
    return { changes: [], isPartial: false };
  }

  async acceptPrivate() {}

  status(id: string): SandboxStatusFacts {
    const { running } = this.#get(id);
    const vm = running ? { pid: 1, startTime: '1', accel: 'tcg', startedAt: '' } : undefined;
    return {
      vm,
      finalized: running,
      connected: running,
      outOfMemory: undefined,
      saved: this.#get(id).suspended === undefined ? undefined : { bytes: 1, at: '' },
      sessions: { running: 0 },
      newImage: undefined,
      networkReady: running,
      workspaceWatched: undefined,
      diskFull: false,
      diskBytes: 0,
      workspace: undefined,
      ports: [],
      portUsage: { open: 0, usedAt: undefined },
    };
  }

  async usage() {
    return { host: undefined, guest: undefined, diskBytes: 0, network: undefined };
  }

  async storage() {
    return { instanceDir: '', diskBytes: 0, layers: [], pool: { wanted: 0, waiting: 0 }, kept: [] };
  }

  async snapshots() {
    return [];
  }

  async removeKept() {}
  async shrinkPool(): Promise<void> {}
  fillPool(): void {}
  tick(): void {}

  async collectGarbage() {
    return { freed: [], kept: [] };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
