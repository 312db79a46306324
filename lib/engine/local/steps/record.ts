/** Puts a spec's credentials into force and records it as applied. */
import type { StepHandler } from './step-deps.ts';

export const record: StepHandler<'record'> = async (deps, { spec }, { id }) => {
  deps.credentials.bind(id, spec);
  await deps.records.update(id, { applied: spec, target: spec });
};
