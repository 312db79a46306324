/** Checks the image that a sandbox is cloned from, and copies its disk. */
import { copyFile } from 'node:fs/promises';
import { errnoOf, SbxError } from '../../errors.ts';
import type { Disk, WarmFiles } from '../../vm/driver.ts';
import type { Store } from '../store/store.ts';

/** Everything a clone needs; files below the store, never written to. */
export interface WarmImage {
  key: string;
  /** Keys of every layer of the chain, for gc and inspect */
  chain: { kind: string; key: string }[];
  kernel: string;
  initrd: string;
  runtimeDisk: Disk;
  /** The root disk's chain, nearest first */
  backing: string[];
  /** An empty overlay on the warm disk: copied for each clone */
  overlay: string;
  warm: WarmFiles;
  /** Of the VM that it is a snapshot of. Absent in records of earlier builds, until they are read */
  size?: { cpus: number; memoryBytes: number; diskBytes: number };
}

/**
 * Checks the layers below a sandbox's own disk. They stay usable whatever a new image would be made of: another QEMU, another sbx.
 * @throws SbxError `layer-damaged` when one is gone or damaged: the disk on it cannot be read any more.
 */
export async function verifyImage({ store }: { store: Store }, image: WarmImage): Promise<void> {
  for (const { kind, key } of image.chain) {
    if ((await store.get(kind, key)) !== undefined) continue;
    throw new SbxError('layer-damaged', 'a layer under the disk of this sandbox is gone or damaged', {
      why: `${kind}-${key} in the store`,
      hint: '`sbx reset` creates the sandbox again; data on its own disk, outside of the workspace, is lost',
    });
  }
}

/** A new instance's disk: a copy of the empty overlay. */
export async function cloneDisk(image: WarmImage, target: string): Promise<void> {
  try {
    await copyFile(image.overlay, target);
  } catch (error) {
    if (errnoOf(error) === 'ENOSPC')
      throw new SbxError('no-space', 'no space left for the disk of a sandbox', {
        hint: 'free some space, for example by `sbx gc --all`',
        cause: error,
      });
    throw error;
  }
}
