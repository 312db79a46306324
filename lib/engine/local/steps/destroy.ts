/** Stops an instance and removes all of it. */
import type { StepHandler } from './step-deps.ts';
import { stop } from './stop.ts';

/** The record goes last: a destroy that is cut off is found and finished. */
export const destroy: StepHandler<'destroy'> = async (deps, { sandbox }, context) => {
  await stop(deps, { action: 'stop', sandbox }, context);
  await deps.egress.close(context.id);
  await deps.credentials.forget(context.id);
  deps.records.remove(context.id);
};
