/**
 * Finds VMs that QEMU paused because the host's disk is full, and resumes them once there is space. A guest's disk grows as it is written;
 * the write that failed is retried, so nothing is lost.
 */
import { statfsSync } from 'node:fs';
import type { VmDriver, VmPaths } from '../../../vm/driver.ts';

export interface DiskWatch {
  /** Checks each VM once; resumes a paused one that can write again */
  check(vms: { id: string; paths: VmPaths }[]): Promise<void>;
  /** Paused until there is space */
  isWaiting(id: string): boolean;
}

/** With less it would be full again at once */
const ENOUGH_BYTES = 256 * 1024 ** 2;

export function createDiskWatch(
  driver: Pick<VmDriver, 'find' | 'health' | 'resume'>,
  freeBytes: (dir: string) => number = freeBytesOf,
): DiskWatch {
  let waiting = new Set<string>();
  const checkOne = async ({ id, paths }: { id: string; paths: VmPaths }): Promise<string | undefined> => {
    if (driver.find(paths) === undefined || (await driver.health(paths)) !== 'disk-full') return undefined;
    if (freeBytes(paths.dir) < ENOUGH_BYTES) return id;
    await driver.resume(paths).catch(() => {});
    return (await driver.health(paths)) === 'disk-full' ? id : undefined;
  };
  return {
    async check(vms) {
      const found = await Promise.all(vms.map(checkOne));
      waiting = new Set(found.filter((id) => id !== undefined));
    },
    isWaiting: (id) => waiting.has(id),
  };
}

function freeBytesOf(dir: string): number {
  const { bavail, bsize } = statfsSync(dir);
  return bavail * bsize;
}
