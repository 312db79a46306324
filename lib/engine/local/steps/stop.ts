/** Stops an instance's VM; its disk stays. */
import { instancePaths } from '../../../paths.ts';
import { powerOff } from '../vm/power-off.ts';
import { releaseWorkspace } from '../vm/workspaces.ts';
import { endVm, type StepHandler } from './step-deps.ts';

export const stop: StepHandler<'stop'> = async (deps, _step, { id }) => {
  const paths = instancePaths(deps.home, id);
  deps.watches.stop(id);
  const guest = deps.guests.get(id);
  if (deps.driver.find(paths) !== undefined && guest !== undefined) await powerOff(deps.driver, paths, guest);
  await endVm(deps, id);
  await releaseWorkspace(deps.home, id);
};
