/** Stops an instance's VM; its disk stays. */
import type { GuestConnection } from '../../../guest/client/connection.ts';
import { instancePaths } from '../../../paths.ts';
import type { VmDriver, VmPaths } from '../../../vm/driver.ts';
import { dropSaved } from '../suspend/saved-state.ts';
import { endVm, type StepHandler } from './step-deps.ts';

export const stop: StepHandler<'stop'> = async (deps, _step, { id }) => {
  const paths = instancePaths(deps.home, id);
  const guest = deps.guests.get(id);
  if (deps.driver.find(paths) !== undefined && guest !== undefined) await powerOff(deps.driver, paths, guest);
  await endVm(deps, id);
  dropSaved(paths);
};

/** The guest flushes its disks and powers off; the caller ends one that takes longer than 5 s. */
async function powerOff(driver: VmDriver, paths: VmPaths, guest: GuestConnection): Promise<void> {
  await Promise.race([
    guest.request('shutdown', {}).catch(() => {}),
    new Promise((resolve) => setTimeout(resolve, 5_000)),
  ]);
  for (let tries = 0; tries < 100 && driver.find(paths) !== undefined; tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 20));
}
