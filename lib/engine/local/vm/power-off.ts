/** Shuts a guest down in order. */
import type { GuestConnection } from '../../../guest/client/connection.ts';
import type { VmDriver, VmPaths } from '../../../vm/driver.ts';

/** The guest flushes its disks and powers off; the caller ends one that takes longer than 5 s. */
export async function powerOff(driver: VmDriver, paths: VmPaths, guest: GuestConnection): Promise<void> {
  await Promise.race([
    guest.request('shutdown', {}).catch(() => {}),
    new Promise((resolve) => setTimeout(resolve, 5_000)),
  ]);
  for (let tries = 0; tries < 100 && driver.find(paths) !== undefined; tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 20));
}
