/** Builds every layer of a sandbox's image. */
import { type StepHandler, warmImage } from './step-deps.ts';

/** From the record on, `gc` keeps the layers. */
export const build: StepHandler<'build'> = async (deps, step, context) => {
  const built = await warmImage(deps, step.spec, context);
  if (deps.records.get(context.id) !== undefined) await deps.records.update(context.id, { built });
};
