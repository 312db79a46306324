/** Configures the VM that builds a layer. */
import type { VmConfig } from '../../vm/driver.ts';
import { bootFiles, type Platform } from '../platform/platform.ts';
import { type RootDisk, rootDiskIn } from './root-disk.ts';

export interface BakeConfig {
  /** The layer's folder: its root disk is there */
  dir: string;
  parent: RootDisk;
  platform: Platform;
  cpus: number;
  memoryBytes: number;
}

export function bakeConfig({ dir, parent, platform, cpus, memoryBytes }: BakeConfig): VmConfig {
  const { kernel, initrd, runtimeDisk } = bootFiles(platform);
  const root = { serial: 'sbx-root', path: rootDiskIn(dir), readonly: false, backing: parent.backing };
  return {
    cpus,
    memoryBytes,
    kernel,
    initrd,
    cmdline: '',
    disks: [{ ...root, format: 'qcow2' }, runtimeDisk],
  };
}
