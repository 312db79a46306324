/** Builds the kernel and the runtime disk that every VM of an image starts with. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Disk } from '../../vm/driver.ts';
import { aptSourcesFor } from '../base/apt-sources.ts';
import { distributionOf, hostDistribution } from '../base/distribution.ts';
import { ensureLayer } from '../store/ensure-layer.ts';
import { hashFile } from '../store/hash-file.ts';
import type { ImageBuild } from '../store/image-build.ts';
import type { Layer } from '../store/store.ts';
import { GUEST_SCRIPTS } from './guest-scripts.ts';
import { fillKernel, KERNEL_FILES, kernelRecipe } from './kernel.ts';
import { fillRuntime, RUNTIME_FILES } from './runtime.ts';

export interface Platform {
  kernel: Layer;
  runtime: Layer;
}

export async function ensurePlatform(build: ImageBuild): Promise<Platform> {
  const kernel = await ensureKernel(build);
  return { kernel, runtime: await ensureRuntime(build, kernel) };
}

/** The files of a platform, as parts of a VM's config. */
export function bootFiles({ kernel, runtime }: Platform): { kernel: string; initrd: string; runtimeDisk: Disk } {
  return {
    kernel: join(kernel.dir, KERNEL_FILES.kernel),
    initrd: join(kernel.dir, KERNEL_FILES.initrd),
    runtimeDisk: {
      serial: 'sbx-runtime',
      path: join(runtime.dir, RUNTIME_FILES.disk),
      format: 'raw',
      readonly: true,
      backing: [],
    },
  };
}

async function ensureKernel(build: ImageBuild): Promise<Layer> {
  const source = distributionOf(build.request.base) ?? (await hostDistribution());
  const sources = await aptSourcesFor(source.distribution, source.suite);
  return ensureLayer(build, {
    kind: 'kernel',
    recipe: { source, sources, recipe: kernelRecipe() },
    parents: [],
    description: `kernel of ${source.distribution}:${source.suite}`,
    fill: (dir, options) => fillKernel(dir, { ...source, sources }, options).then(() => {}),
  });
}

async function ensureRuntime(build: ImageBuild, kernel: Layer): Promise<Layer> {
  const parts = await build.deps.runtimeParts();
  return ensureLayer(build, {
    kind: 'runtime',
    recipe: {
      kernel: kernel.key,
      agent: await hashFile(parts.agent),
      scripts: GUEST_SCRIPTS,
      versions: await Promise.all([parts.node, parts.npm, ...parts.pty].map(versionOf)),
    },
    parents: [kernel],
    description: 'guest runtime',
    fill: (dir, { signal }) => fillRuntime(dir, kernel.dir, parts, signal),
  });
}

async function versionOf(folder: string): Promise<string> {
  const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
  };
  return `${manifest.name}@${manifest.version}`;
}
