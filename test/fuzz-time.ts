import type { Parameters } from 'fast-check';

/** As many runs as fit. A run that is under way ends in its own time. */
export function forSeconds(seconds: number): Parameters<unknown> {
  return {
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: seconds * 1_000,
    markInterruptAsFailure: false,
    endOnFailure: true,
  };
}
