/** One machine a sandbox; a queue for heavy steps; callers that wait for convergence. */
import { type Actor, createActor, waitFor } from 'xstate';
import { SbxError } from '../errors.ts';
import type { Plan, Step } from '../plan/types.ts';
import type { SandboxSpec } from '../spec/spec.ts';
import { sandboxMachine } from './sandbox-machine.ts';
import { createStepQueue } from './step-queue.ts';

export interface StepEvent {
  step: Step;
  status: 'waiting' | 'started' | 'done' | 'failed';
  error?: unknown;
  durationMs?: number;
}

export interface SupervisorDeps {
  /** Looks at the world; `mode` as in planning */
  plan: (
    id: string,
    target: SandboxSpec | undefined,
    mode: 'apply' | 'reconcile',
    signal: AbortSignal,
  ) => Promise<Plan>;
  execute: (id: string, step: Step, signal: AbortSignal) => Promise<void>;
  /** Heavy steps at the same time */
  concurrency: number;
  /** Tries in a row in the background */
  attempts: number;
}

export interface ConvergeOptions {
  /** Ends the waiting and the work, at a safe point */
  signal?: AbortSignal | undefined;
  onStep?: ((event: StepEvent) => void) | undefined;
}

export interface Supervisor {
  /** Brings a sandbox to `target` (undefined: gone). Resolves when a look at the world finds nothing to do; rejects with the error of the step that failed. */
  converge(id: string, target: SandboxSpec | undefined, options?: ConvergeOptions): Promise<void>;
  /** From now on kept at `target` in the background, by its restart policy */
  watch(id: string, target: SandboxSpec): void;
  /** Something has changed, for example its machine ended: look, also at one that was left alone */
  poke(id: string): void;
  /** Looks now and then, in case something changed unseen. Whoever pauses after a failure, or was left alone, stays so */
  look(id: string): void;
  /** Ends what is done to a sandbox in the background. Resolves when no step of it runs any more: whoever does something to it by himself MUST wait for that. */
  forget(id: string): Promise<void>;
  /** Actors end; virtual machines stay */
  stop(): Promise<void>;
  /** Steps are being run */
  busy(id: string): boolean;
  lastError(id: string): unknown;
}

interface Entry {
  actor: Actor<typeof sandboxMachine>;
  target: SandboxSpec | undefined;
  mode: 'apply' | 'reconcile';
  abort: AbortController;
  listeners: Set<(event: StepEvent) => void>;
  /** Tries allowed now: a caller who waits gets the first error */
  attempts: number;
}

export function createSupervisor(deps: SupervisorDeps): Supervisor {
  const entries = new Map<string, Entry>();
  const queue = createStepQueue(deps.concurrency);

  const runStep = async (id: string, entry: Entry, step: Step) => {
    const tell = (event: StepEvent) => {
      for (const listener of entry.listeners) listener(event);
    };
    // Its own, from here to its end: a later caller may give the entry another.
    const { signal } = entry.abort;
    const work = async () => {
      const from = performance.now();
      tell({ step, status: 'started' });
      try {
        await deps.execute(id, step, signal);
        tell({ step, status: 'done', durationMs: Math.round(performance.now() - from) });
      } catch (error) {
        tell({ step, status: 'failed', error });
        throw error;
      }
    };
    await queue.run(step.action, work, { signal, onWaiting: () => tell({ step, status: 'waiting' }) });
  };

  const entryOf = (id: string): Entry => {
    const known = entries.get(id);
    if (known !== undefined) return known;
    const entry = {
      target: undefined,
      mode: 'reconcile',
      abort: new AbortController(),
      listeners: new Set(),
      attempts: deps.attempts,
    } as unknown as Entry;
    entry.actor = createActor(sandboxMachine, {
      input: {
        plan: (signal) => deps.plan(id, entry.target, entry.mode, signal),
        execute: async (plan, draining) => {
          for (const step of plan.steps) {
            if (draining.aborted) return;
            await runStep(id, entry, step);
          }
        },
        isTransient: (error) => !(error instanceof SbxError && error.kind === 'user'),
        get attempts() {
          return entry.attempts;
        },
      },
    });
    // An error in an actor is a state here, never an exception of the process.
    entry.actor.subscribe({ error: () => {} });
    entry.actor.start();
    entries.set(id, entry);
    return entry;
  };

  return {
    async converge(id, target, options = {}) {
      const entry = entryOf(id);
      if (entry.abort.signal.aborted) entry.abort = new AbortController();
      const { abort, target: before } = entry;
      const onAbort = () =>
        abort.abort(new SbxError('cancelled', 'the work was cancelled', { hint: 'the next `sbx apply` finishes it' }));
      options.signal?.addEventListener('abort', onAbort, { once: true });
      if (options.onStep !== undefined) entry.listeners.add(options.onStep);
      Object.assign(entry, { target, mode: 'apply', attempts: 1 });
      try {
        if (options.signal?.aborted) onAbort();
        await settled(entry, () => entry.actor.send({ type: 'RETARGET' }));
      } catch (error) {
        keepOnly(entry, before);
        throw error;
      } finally {
        options.signal?.removeEventListener('abort', onAbort);
        if (options.onStep !== undefined) entry.listeners.delete(options.onStep);
        Object.assign(entry, { mode: 'reconcile', attempts: deps.attempts });
      }
    },
    watch(id, target) {
      const entry = entryOf(id);
      entry.target = target;
      entry.actor.send({ type: 'POKE' });
    },
    poke: (id) => entries.get(id)?.actor.send({ type: 'POKE' }),
    look: (id) => entries.get(id)?.actor.send({ type: 'LOOK' }),
    async forget(id) {
      const entry = entries.get(id);
      entries.delete(id);
      if (entry !== undefined) await end(entry, new SbxError('cancelled', 'the sandbox was given up'));
    },
    async stop() {
      const ending = new SbxError('cancelled', 'the daemon is ending');
      await Promise.all([...entries.values()].map((entry) => end(entry, ending)));
      // Of those that were forgotten
      await queue.onIdle();
    },
    busy: (id) => {
      const entry = entries.get(id);
      return entry?.actor.getSnapshot().matches('working') === true;
    },
    lastError: (id) => entries.get(id)?.actor.getSnapshot().context.error,
  };
}

/** In the background only what was applied is kept: what failed, or was given up, the next apply finishes. */
function keepOnly(entry: Entry, applied: SandboxSpec | undefined): void {
  if (applied === undefined) entry.abort.abort(new SbxError('cancelled', 'it was never applied in full'));
  else Object.assign(entry, { target: applied, abort: new AbortController() });
}

/** At the next safe point, which a step under way may take a while to come to. */
async function end({ abort, actor }: Entry, why: SbxError): Promise<void> {
  abort.abort(why);
  actor.send({ type: 'STOP' });
  await waitFor(actor, ({ status }) => status !== 'active');
}

/** Waits for `settled` or `stuck` after `start` was called. */
function settled(entry: Entry, start: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const check = () => {
      const snapshot = entry.actor.getSnapshot();
      if (snapshot.matches('settled')) done(resolve);
      else if (snapshot.matches('stuck')) done(() => reject(snapshot.context.error));
      else if (snapshot.status === 'done') done(() => reject(new SbxError('cancelled', 'the sandbox was given up')));
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
