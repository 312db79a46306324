/** Makes a disk larger over the monitor: QEMU changes the image in its jail, and no tool of the host opens what a guest may have written. */
import { SbxError } from '../../errors.ts';
import type { VmConfig, VmPaths } from '../driver.ts';
import { openMonitor } from './monitor.ts';
import { diskDevice } from './process/args.ts';
import { findVm } from './process/vm-process.ts';
import type { Qmp } from './qmp.ts';

export interface DiskGrowth {
  /** Place in `VmConfig.disks` */
  index: number;
  /** Size as the guest sees it */
  bytes: number;
}

/** Never smaller: QEMU would cut off what is behind the new end. */
export async function growDisk(qmp: Pick<Qmp, 'execute'>, { index, bytes }: DiskGrowth): Promise<void> {
  const device = diskDevice(index);
  if (bytes <= sizeIn(await qmp.execute('query-block'), device)) return;
  await qmp.execute('block_resize', { device, size: bytes });
}

/** Before the guest runs. */
export async function growDisks(qmp: Pick<Qmp, 'execute'>, { disks }: Pick<VmConfig, 'disks'>): Promise<void> {
  for (const [index, { minBytes }] of disks.entries())
    if (minBytes !== undefined) await growDisk(qmp, { index, bytes: minBytes });
}

/** @throws SbxError `vm-died`, `qmp` */
export async function growRunning(paths: VmPaths, growth: DiskGrowth, signal?: AbortSignal): Promise<void> {
  const vm = findVm(paths);
  if (vm === undefined) throw new SbxError('vm-died', 'the virtual machine ended before its disk could grow');
  await using qmp = await openMonitor(paths, vm, { signal });
  await growDisk(qmp, growth);
}

interface BlockDevice {
  device?: string;
  inserted?: { image?: { 'virtual-size'?: number } };
}

/** The monitor is on the jail's side: anything may come. */
function sizeIn(answer: unknown, device: string): number {
  const found = Array.isArray(answer)
    ? (answer as (BlockDevice | null)[]).find((one) => one?.device === device)
    : undefined;
  const size = found?.inserted?.image?.['virtual-size'];
  if (typeof size === 'number' && Number.isSafeInteger(size) && size > 0) return size;
  throw new SbxError('qmp', 'QEMU does not say how large a disk is', { why: device });
}
