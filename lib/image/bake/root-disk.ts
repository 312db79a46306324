/** Makes the root disk of a layer: an overlay over those of the layers below it. */
import { join } from 'node:path';
import { run } from '../../system/run-tool.ts';
import type { Layer } from '../store/store.ts';

export interface RootDisk {
  layer: Layer;
  /** Nearest first */
  backing: string[];
  format: 'raw' | 'qcow2';
}

export function rootDiskIn(dir: string): string {
  return join(dir, 'disk.qcow2');
}

/** The disk of a layer whose overlay is on another one. */
export function stackedOn(parent: RootDisk, layer: Layer): RootDisk {
  return { layer, backing: [rootDiskIn(layer.dir), ...parent.backing], format: 'qcow2' };
}

export interface Overlay {
  backing: string;
  format: 'raw' | 'qcow2';
  target: string;
  sizeBytes: number;
  signal: AbortSignal | undefined;
}

export async function makeOverlay({ backing, format, target, sizeBytes, signal }: Overlay): Promise<void> {
  // -u: the backing file's final place may not exist yet.
  const options = ['create', '-q', '-u', '-f', 'qcow2', '-b', backing, '-F', format];
  await run('qemu-img', [...options, target, String(sizeBytes)], { signal });
}
