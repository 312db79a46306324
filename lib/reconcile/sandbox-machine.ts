/**
 * Decides when one sandbox is observed, worked on, retried and halted. The work itself comes in as functions.
 * observing → settled | working (applying, draining, stopping) → observing; failed → backoff → observing, or halted.
 */
import { assign, fromPromise, setup } from 'xstate';
import type { Plan } from '../plan/types.ts';

export interface SandboxInput {
  /** Observes, and plans towards the current desired state */
  plan: (signal: AbortSignal) => Promise<Plan>;
  /** Runs the steps in order. Ends early, at a safe point between two steps, once `draining` is aborted */
  execute: (plan: Plan, draining: AbortSignal) => Promise<void>;
  /** A retry can help */
  isTransient: (error: unknown) => boolean;
  /** Tries in a row before the sandbox is halted */
  attempts: number;
}

export interface SandboxContext {
  input: SandboxInput;
  plan: Plan | undefined;
  failures: number;
  error: unknown;
  drain: AbortController;
  /** A new desired state came while steps run */
  draining: boolean;
  /** Asked to stop while steps run: ends after the step under way */
  stopping: boolean;
}

/** RESYNC is periodic, NOTIFY follows a change of the world, SET_TARGET a request */
export type SandboxEvent = { type: 'RESYNC' } | { type: 'NOTIFY' } | { type: 'SET_TARGET' } | { type: 'STOP' };

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 60_000;

/** Doubles with each failure in a row. */
export function backoffAfter(failures: number): number {
  return Math.min(FIRST_DELAY_MS * 2 ** Math.max(failures - 1, 0), LONGEST_DELAY_MS);
}

export const sandboxMachine = setup({
  types: { context: {} as SandboxContext, events: {} as SandboxEvent, input: {} as SandboxInput },
  actors: {
    plan: fromPromise<Plan, SandboxInput>(({ input, signal }) => input.plan(signal)),
    execute: fromPromise<void, { work: SandboxInput; plan: Plan; drain: AbortSignal }>(({ input }) =>
      input.work.execute(input.plan, input.drain),
    ),
  },
  guards: {
    isConverged: ({ event }) => (event as unknown as { output: Plan }).output.steps.length === 0,
    isStopping: ({ context }) => context.stopping,
    isDraining: ({ context }) => context.draining,
    mayRetry: ({ context }) => context.input.isTransient(context.error) && context.failures < context.input.attempts,
  },
  delays: { delay: ({ context }) => backoffAfter(context.failures) },
  actions: {
    forget: assign({ failures: 0, error: undefined }),
    noteFailure: assign({
      failures: ({ context }) => context.failures + 1,
      error: ({ event }) => (event as unknown as { error: unknown }).error,
    }),
    notePlan: assign({ plan: ({ event }) => (event as unknown as { output: Plan }).output }),
    newDrain: assign({ drain: () => new AbortController(), draining: false }),
    noteDrain: assign({ draining: true }),
    drain: ({ context }) => context.drain.abort(),
    noteStop: assign({ stopping: true }),
  },
}).createMachine({
  id: 'sandbox',
  context: ({ input }) => ({
    input,
    plan: undefined,
    failures: 0,
    error: undefined,
    drain: new AbortController(),
    draining: false,
    stopping: false,
  }),
  initial: 'settled',
  states: {
    settled: {
      on: { RESYNC: 'observing', NOTIFY: 'observing', SET_TARGET: 'observing', STOP: 'stopped' },
    },
    observing: {
      invoke: {
        src: 'plan',
        input: ({ context }) => context.input,
        onDone: [
          { guard: 'isConverged', target: 'settled', actions: ['notePlan', 'forget'] },
          { target: 'working', actions: 'notePlan' },
        ],
        onError: { target: 'failed', actions: 'noteFailure' },
      },
      // The observation may have missed what changed meanwhile.
      on: {
        NOTIFY: { target: 'observing', reenter: true },
        SET_TARGET: { target: 'observing', reenter: true },
        STOP: 'stopped',
      },
    },
    working: {
      entry: 'newDrain',
      invoke: {
        src: 'execute',
        input: ({ context }) => ({
          work: context.input,
          plan: context.plan ?? { changes: [], steps: [] },
          drain: context.drain.signal,
        }),
        onDone: [
          { guard: 'isStopping', target: 'stopped' },
          { target: 'observing', actions: 'forget' },
        ],
        onError: [
          { guard: 'isStopping', target: 'stopped' },
          // The step belonged to a plan that a new desired state has replaced.
          { guard: 'isDraining', target: 'observing', actions: 'forget' },
          { target: 'failed', actions: 'noteFailure' },
        ],
      },
      initial: 'applying',
      states: {
        applying: { on: { SET_TARGET: 'draining', STOP: 'stopping' } },
        // The step under way ends first; then the sandbox is observed with the new target.
        draining: { entry: ['noteDrain', 'drain'], on: { STOP: 'stopping' } },
        stopping: { entry: ['noteStop', 'drain'] },
      },
      on: { NOTIFY: {} },
    },
    failed: {
      always: [{ guard: 'mayRetry', target: 'backoff' }, { target: 'halted' }],
    },
    backoff: {
      after: { delay: 'observing' },
      on: { SET_TARGET: { target: 'observing', actions: 'forget' }, STOP: 'stopped' },
    },
    // Until an event or a request: RESYNC is ignored here.
    halted: {
      on: {
        NOTIFY: { target: 'observing', actions: 'forget' },
        SET_TARGET: { target: 'observing', actions: 'forget' },
        STOP: 'stopped',
      },
    },
    stopped: { type: 'final' },
  },
});
