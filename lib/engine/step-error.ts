/** The error of a step that failed. */
import { SbxError } from '../errors.ts';
import type { Step } from '../plan/types.ts';

/** Names the step; code, reason, hint and place are those of its cause. */
export class StepError extends SbxError {
  constructor(step: Step, cause: unknown) {
    const at = { action: step.action, sandbox: step.sandbox };
    if (cause instanceof SbxError) super(cause.code, cause.message, { ...detailsOf(cause), cause, step: at });
    else super('internal', cause instanceof Error ? cause.message : String(cause), { cause, step: at });
    this.name = 'StepError';
  }
}

function detailsOf({ why, hint, place }: SbxError) {
  return {
    ...(why === undefined ? {} : { why }),
    ...(hint === undefined ? {} : { hint }),
    ...(place === undefined ? {} : { place }),
  };
}
