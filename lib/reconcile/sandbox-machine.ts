/**
 * When one sandbox is looked at, worked on, and left alone. The work itself comes in as functions.
 * observing → settled | working (applying, draining) → observing; failed → observing after a pause; stopping.
 */
import { assign, fromPromise, setup } from 'xstate';
import type { Plan } from '../plan/types.ts';

export interface SandboxInput {
  /** Looks at the world and plans towards the target of the moment */
  plan: (signal: AbortSignal) => Promise<Plan>;
  /** Runs the steps in order. Ends early, at a safe point between two steps, once `draining` is aborted */
  execute: (plan: Plan, draining: AbortSignal) => Promise<void>;
  /** Whether trying again by itself can help */
  isTransient: (error: unknown) => boolean;
  /** Tries in a row before it is left alone until asked again */
  attempts: number;
}

export interface SandboxContext {
  input: SandboxInput;
  plan: Plan | undefined;
  failures: number;
  error: unknown;
  drain: AbortController;
  /** Asked to stop while steps were run: after the one under way it is over */
  stopping: boolean;
}

/** LOOK comes now and then, POKE when something happened, RETARGET when somebody asks */
export type SandboxEvent = { type: 'LOOK' } | { type: 'POKE' } | { type: 'RETARGET' } | { type: 'STOP' };

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 60_000;

/** Doubles with each failure in a row. */
export function pauseAfter(failures: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** Math.max(failures - 1, 0), LONGEST_PAUSE_MS);
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
    mayRetry: ({ context }) => context.input.isTransient(context.error) && context.failures < context.input.attempts,
  },
  delays: { pause: ({ context }) => pauseAfter(context.failures) },
  actions: {
    forget: assign({ failures: 0, error: undefined }),
    noteFailure: assign({
      failures: ({ context }) => context.failures + 1,
      error: ({ event }) => (event as unknown as { error: unknown }).error,
    }),
    notePlan: assign({ plan: ({ event }) => (event as unknown as { output: Plan }).output }),
    newDrain: assign({ drain: () => new AbortController() }),
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
    stopping: false,
  }),
  initial: 'settled',
  states: {
    settled: {
      on: { LOOK: 'observing', POKE: 'observing', RETARGET: 'observing', STOP: 'stopped' },
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
      // What changed while we looked may have been overlooked: look again.
      on: {
        POKE: { target: 'observing', reenter: true },
        RETARGET: { target: 'observing', reenter: true },
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
          { target: 'failed', actions: 'noteFailure' },
        ],
      },
      initial: 'applying',
      states: {
        applying: { on: { RETARGET: 'draining', STOP: 'stopping' } },
        // The step under way ends first: then the world is looked at with the new target.
        draining: { entry: 'drain', on: { STOP: 'stopping' } },
        stopping: { entry: ['noteStop', 'drain'] },
      },
      on: { POKE: {} },
    },
    failed: {
      always: [{ guard: 'mayRetry', target: 'pausing' }, { target: 'stuck' }],
    },
    pausing: {
      after: { pause: 'observing' },
      on: { RETARGET: { target: 'observing', actions: 'forget' }, STOP: 'stopped' },
    },
    // Left alone until something happens to it or somebody asks: no LOOK goes on from here.
    stuck: {
      on: {
        POKE: { target: 'observing', actions: 'forget' },
        RETARGET: { target: 'observing', actions: 'forget' },
        STOP: 'stopped',
      },
    },
    stopped: { type: 'final' },
  },
});
