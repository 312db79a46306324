/** The end of a machine that is wanted. */
import type { GuestConnection } from '../../../guest/client/connection.ts';
import type { VmDriver, VmPaths } from '../../../vm/driver.ts';

/** The guest writes its disks out and ends; one that does not within a moment is ended. */
export async function powerOff(driver: VmDriver, places: VmPaths, guest: GuestConnection): Promise<void> {
  await Promise.race([
    guest.request('shutdown', {}).catch(() => {}),
    new Promise((resolve) => setTimeout(resolve, 5_000)),
  ]);
  for (let tries = 0; tries < 100 && driver.find(places) !== undefined; tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 20));
}
