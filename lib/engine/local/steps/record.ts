/** Puts a spec's credentials and workspace rules into force and records it as applied. */
import { instancePaths } from '../../../paths.ts';
import { ensureRules } from '../workspace/workspaces.ts';
import type { StepHandler } from './step-deps.ts';

export const record: StepHandler<'record'> = async (deps, { spec }, { id }) => {
  deps.credentials.bind(id, spec);
  if (deps.driver.find(instancePaths(deps.home, id)) !== undefined) await ensureRules(deps, id, spec);
  await deps.records.update(id, { applied: spec, target: spec });
};
