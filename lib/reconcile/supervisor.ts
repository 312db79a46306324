/** One actor for each sandbox, a queue for heavy steps, and callers that wait for convergence. */
import { type Actor, createActor, waitFor } from 'xstate';
import type { Engine, StepContext } from '../engine/engine.ts';
import { StepError } from '../engine/step-error.ts';
import { SbxError } from '../errors.ts';
import { planSandbox } from '../plan/plan.ts';
import type { Plan, Step } from '../plan/types.ts';
import type { Desired } from '../spec/desired.ts';
import { sandboxMachine } from './sandbox-machine.ts';
import { createStepQueue } from './step-queue.ts';

export interface StepEvent {
  step: Step;
  status: 'waiting' | 'started' | 'done' | 'failed';
  error?: unknown;
  durationMs?: number;
}

export interface SupervisorOptions {
  engine: Pick<Engine, 'observe' | 'run' | 'networkHash'>;
  /** Heavy steps at the same time */
  concurrency: number;
  /** Tries in a row in the background */
  attempts: number;
  /** Output of a step that runs */
  output?: (id: string, step: Step) => Pick<StepContext, 'onProgress' | 'onLine'>;
}

export interface ConvergeOptions {
  /** Ends the waiting and the work, at a safe point */
  signal?: AbortSignal | undefined;
  onStep?: ((event: StepEvent) => void) | undefined;
  /** Aborts a step that runs in the background: the new desired state makes it pointless */
  interrupt?: boolean | undefined;
  /** The desired state after a failure or an abort. Default: the one before, or nothing */
  otherwise?: (() => Desired | undefined) | undefined;
}

interface Entry {
  actor: Actor<typeof sandboxMachine>;
  desired: Desired | undefined;
  mode: 'apply' | 'reconcile';
  abort: AbortController;
  listeners: Set<(event: StepEvent) => void>;
  /** Tries allowed now: a caller who waits gets the first error */
  attempts: number;
  /** The step under way */
  step?: Step['action'] | undefined;
  /** Settles after the last call of `converge` */
  converging?: Promise<unknown>;
}

interface Converging {
  entry: Entry;
  desired: Desired;
  options: ConvergeOptions;
}

const SILENT = { onProgress: () => {}, onLine: () => {} };
const NOTHING: Plan = { changes: [], steps: [] };

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #queue;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#queue = createStepQueue(options.concurrency);
  }

  /** Brings a sandbox to `desired`. Resolves when a plan of the observed state is empty; rejects with the error of the step that failed. */
  async converge(id: string, desired: Desired, options: ConvergeOptions = {}): Promise<void> {
    const entry = this.#entryOf(id);
    const converging = this.#converge(id, { entry, desired, options });
    entry.converging = converging.catch(() => {});
    await converging;
  }

  /** Aborts this step where it runs, and resolves when the caller that waits for it has its error. */
  async abortStep(id: string, step: Step['action'], reason: SbxError): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry?.step !== step) return;
    entry.abort.abort(reason);
    await entry.converging;
  }

  async #converge(id: string, { entry, desired, options }: Converging): Promise<void> {
    if (options.interrupt && this.busy(id))
      entry.abort.abort(new SbxError('cancelled', 'another request replaced this one'));
    if (entry.abort.signal.aborted) entry.abort = new AbortController();
    const { abort, desired: before } = entry;
    const onAbort = () =>
      abort.abort(new SbxError('cancelled', 'the work was cancelled', { hint: 'the next `sbx apply` finishes it' }));
    options.signal?.addEventListener('abort', onAbort, { once: true });
    if (options.onStep !== undefined) entry.listeners.add(options.onStep);
    Object.assign(entry, { desired, mode: 'apply', attempts: 1 });
    try {
      if (options.signal?.aborted) onAbort();
      await settled(entry, () => entry.actor.send({ type: 'SET_TARGET' }));
    } catch (error) {
      // Without one, nothing is done in the background: the next apply finishes what was cut off.
      Object.assign(entry, { desired: options.otherwise?.() ?? before, abort: new AbortController() });
      throw error;
    } finally {
      options.signal?.removeEventListener('abort', onAbort);
      if (options.onStep !== undefined) entry.listeners.delete(options.onStep);
      Object.assign(entry, { mode: 'reconcile', attempts: this.#options.attempts });
    }
    if (desired.spec === undefined && entry.desired === desired) await this.#end(id, entry, 'the sandbox was removed');
  }

  /** Keeps a sandbox at `desired` in the background, by its restart policy. */
  watch(id: string, desired: Desired): void {
    const entry = this.#entryOf(id);
    entry.desired = desired;
    entry.actor.send({ type: 'NOTIFY' });
  }

  /** Something changed, for example the VM ended: observes again, also a halted sandbox. */
  notify(id: string): void {
    this.#entries.get(id)?.actor.send({ type: 'NOTIFY' });
  }

  /** Periodic check for changes that raise no event. A sandbox in backoff, or halted, stays so. */
  resync(id: string): void {
    this.#entries.get(id)?.actor.send({ type: 'RESYNC' });
  }

  /** Steps are being run */
  busy(id: string): boolean {
    return this.#entries.get(id)?.actor.getSnapshot().matches('working') === true;
  }

  /** Resolves when this step is under way; never after `signal` has aborted. */
  whenRuns(id: string, action: Step['action'], signal: AbortSignal): Promise<void> {
    const entry = this.#entryOf(id);
    return new Promise((resolve) => {
      if (entry.step === action) return resolve();
      const listener = ({ step, status }: StepEvent) => {
        if (step.action === action && status === 'started') resolve();
      };
      entry.listeners.add(listener);
      signal.addEventListener('abort', () => entry.listeners.delete(listener), { once: true });
    });
  }

  lastError(id: string): unknown {
    return this.#entries.get(id)?.actor.getSnapshot().context.error;
  }

  /** Ends all actors, each at its next safe point; VMs keep running. */
  async stop(): Promise<void> {
    await Promise.all([...this.#entries].map(([id, entry]) => this.#end(id, entry, 'the daemon is ending')));
    await this.#queue.onIdle();
  }

  /** A step under way may take a while to come to its safe point. */
  async #end(id: string, entry: Entry, why: string): Promise<void> {
    if (this.#entries.get(id) === entry) this.#entries.delete(id);
    entry.abort.abort(new SbxError('cancelled', why));
    entry.actor.send({ type: 'STOP' });
    await waitFor(entry.actor, ({ status }) => status !== 'active');
  }

  #entryOf(id: string): Entry {
    const known = this.#entries.get(id);
    if (known !== undefined) return known;
    const { attempts } = this.#options;
    const entry: Omit<Entry, 'actor'> = {
      desired: undefined,
      mode: 'reconcile',
      abort: new AbortController(),
      listeners: new Set(),
      attempts,
    };
    const actor = createActor(sandboxMachine, {
      input: {
        plan: (signal) => this.#plan(id, entry, signal),
        execute: async (plan, draining) => {
          for (const step of plan.steps) {
            if (draining.aborted) return;
            await this.#runStep(id, entry, step);
          }
        },
        isTransient: (error) => !(error instanceof SbxError && error.kind === 'user'),
        get attempts() {
          return entry.attempts;
        },
      },
    });
    // An error in an actor is a state here, never an exception of the process.
    actor.subscribe({ error: () => {} });
    actor.start();
    const made = Object.assign(entry, { actor });
    this.#entries.set(id, made);
    return made;
  }

  async #plan(id: string, { desired, mode }: Omit<Entry, 'actor'>, signal: AbortSignal): Promise<Plan> {
    if (desired === undefined) return NOTHING;
    const { engine } = this.#options;
    return planSandbox(desired, await engine.observe(id, signal), {
      mode,
      networkHash: (spec) => engine.networkHash(id, spec),
    });
  }

  async #runStep(id: string, entry: Omit<Entry, 'actor'>, step: Step): Promise<void> {
    const notify = (event: StepEvent) => {
      for (const listener of entry.listeners) listener(event);
    };
    // Its own, from here to its end: a later caller may give the entry another.
    const { signal } = entry.abort;
    const work = async () => {
      const from = performance.now();
      entry.step = step.action;
      notify({ step, status: 'started' });
      try {
        await this.#options.engine.run(step, { id, signal, ...(this.#options.output?.(id, step) ?? SILENT) });
        notify({ step, status: 'done', durationMs: Math.round(performance.now() - from) });
      } catch (error) {
        const failure = error instanceof StepError ? error : new StepError(step, error);
        notify({ step, status: 'failed', error: failure });
        throw failure;
      } finally {
        entry.step = undefined;
      }
    };
    await this.#queue.run(step.action, work, { signal, onWaiting: () => notify({ step, status: 'waiting' }) });
  }
}

/** Waits for `settled` or `halted` after `start` was called. */
function settled(entry: Entry, start: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const check = () => {
      const snapshot = entry.actor.getSnapshot();
      if (snapshot.matches('settled')) done(resolve);
      else if (snapshot.matches('halted')) done(() => reject(snapshot.context.error));
      else if (snapshot.status === 'done')
        done(() => reject(new SbxError('cancelled', 'reconciliation was cancelled')));
    };
    const done = (finish: () => void) => {
      subscription.unsubscribe();
      finish();
    };
    start();
    const subscription = entry.actor.subscribe(check);
    check();
  });
}
