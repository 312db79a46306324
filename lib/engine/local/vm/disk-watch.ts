/**
 * A guest's disk grows as it is written. Where the host has no space left, its machine waits in the middle of that write and nothing is
 * lost: it is found here, shown, and goes on when there is space again.
 */
import { statfsSync } from 'node:fs';
import type { VmDriver, VmPaths } from '../../../vm/driver.ts';

export interface DiskWatch {
  /** Looks at each machine once. One that waits and could write again goes on. */
  look(machines: { id: string; places: VmPaths }[]): Promise<void>;
  /** It waits for space */
  isWaiting(id: string): boolean;
}

/** Less would fill up at once again */
const ENOUGH_BYTES = 256 * 1024 ** 2;

export function createDiskWatch(
  driver: Pick<VmDriver, 'find' | 'health' | 'resume'>,
  freeBytes: (dir: string) => number = freeBytesOf,
): DiskWatch {
  let waiting = new Set<string>();
  const lookAt = async ({ id, places }: { id: string; places: VmPaths }): Promise<string | undefined> => {
    if (driver.find(places) === undefined || (await driver.health(places)) !== 'disk-full') return undefined;
    if (freeBytes(places.dir) < ENOUGH_BYTES) return id;
    await driver.resume(places).catch(() => {});
    return (await driver.health(places)) === 'disk-full' ? id : undefined;
  };
  return {
    async look(machines) {
      const found = await Promise.all(machines.map(lookAt));
      waiting = new Set(found.filter((id) => id !== undefined));
    },
    isWaiting: (id) => waiting.has(id),
  };
}

function freeBytesOf(dir: string): number {
  const { bavail, bsize } = statfsSync(dir);
  return bavail * bsize;
}
