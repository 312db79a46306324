/** Builds the top layer of a chain: memory and device state of a booted and warmed guest, with their disk. */
import { statfsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SbxError } from '../../errors.ts';
import { bootSupervised } from '../../vm/boot-supervisor.ts';
import { bakeConfig } from '../bake/bake-config.ts';
import { bakePaths } from '../bake/bake-paths.ts';
import { makeOverlay, type RootDisk, rootDiskIn } from '../bake/root-disk.ts';
import type { Platform } from '../platform/platform.ts';
import { ensureLayer } from '../store/ensure-layer.ts';
import type { ImageBuild } from '../store/image-build.ts';
import type { Layer } from '../store/store.ts';
import { warmUp } from './warm.ts';

/** File names inside the layer, beside its root disk */
export const WARM_FILES = { overlay: 'overlay.qcow2', ram: 'ram', device: 'device' } as const;

export async function ensureWarmLayer(build: ImageBuild, platform: Platform, parent: RootDisk): Promise<Layer> {
  const { deps, request } = build;
  return ensureLayer(build, {
    kind: 'warm',
    recipe: {
      parent: parent.layer.key,
      runtime: platform.runtime.key,
      driver: await deps.driver.identity(),
      cpus: request.cpus,
      memory: request.memoryBytes,
      disk: request.diskBytes,
    },
    parents: [parent.layer, platform.runtime, platform.kernel],
    description: 'warm snapshot',
    fill: async (dir, { key, signal }) => {
      requireSpace(dir, Math.min(request.memoryBytes, WARM_SPACE_BYTES));
      const sizeBytes = request.diskBytes;
      const { backing, format } = parent;
      await makeOverlay({ backing: backing[0] ?? '', format, target: rootDiskIn(dir), sizeBytes, signal });
      await capture(build, { dir, platform, parent, signal });
      // Its backing file is named by the path that the layer will have once it is sealed.
      const sealed = rootDiskIn(deps.store.pathOf('warm', key));
      await makeOverlay({ backing: sealed, format: 'qcow2', target: join(dir, WARM_FILES.overlay), sizeBytes, signal });
    },
  });
}

/** A booted guest's memory before holes are dug */
const WARM_SPACE_BYTES = 1024 ** 3;

/** A full disk kills a VM whose memory is a file, without an error: so it is not started. */
function requireSpace(dir: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(dir);
  if (bavail * bsize >= bytes) return;
  throw new SbxError('no-space', 'no space left for a warm snapshot', {
    why: `${Math.floor((bavail * bsize) / 1024 ** 2)} MiB are free, ${Math.floor(bytes / 1024 ** 2)} MiB are needed temporarily`,
    hint: 'free some space, for example by `sbx gc --all`, or set SBX_HOME to a larger disk',
  });
}

interface Capture {
  /** The layer's folder */
  dir: string;
  platform: Platform;
  parent: RootDisk;
  signal: AbortSignal | undefined;
}

async function capture({ deps, request }: ImageBuild, { dir, platform, parent, signal }: Capture): Promise<void> {
  const { cpus, memoryBytes } = request;
  const paths = bakePaths(dir);
  await mkdir(paths.dir, { mode: 0o700 });
  try {
    const files = { ram: join(dir, WARM_FILES.ram), device: join(dir, WARM_FILES.device) };
    const config = bakeConfig({ dir, parent, platform, cpus, memoryBytes });
    const { guest } = await bootSupervised(deps.driver, config, paths, { ramFile: files.ram, signal });
    await warmUp(guest, { setup: paths.setup, docker: request.docker });
    await deps.driver.snapshot(paths, files, signal);
  } finally {
    await deps.driver.destroy(paths);
    await rm(paths.dir, { recursive: true, force: true });
  }
}
