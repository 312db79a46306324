/** What every machine of an image starts with: the kernel and the runtime disk. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SETUP_SCRIPT } from '../guest/setup/script.ts';
import { together } from '../together.ts';
import type { Disk } from '../vm/driver.ts';
import { aptSourcesFor } from './apt-sources.ts';
import { distributionOf, hostDistribution } from './distribution.ts';
import { ensureLayer } from './ensure-layer.ts';
import { hashFile } from './hash-file.ts';
import type { ImageBuild } from './image-build.ts';
import { fillKernel, KERNEL_FILES, kernelRecipe } from './kernel.ts';
import { fillRuntime, RUNTIME_FILES, type RuntimeParts } from './runtime.ts';
import type { Layer } from './store.ts';

export interface Platform {
  kernel: Layer;
  runtime: Layer;
}

export async function ensurePlatform(build: ImageBuild): Promise<Platform> {
  const [kernel, parts] = await together(build.events.signal, (signal) => [
    ensureKernel({ ...build, events: { ...build.events, signal } }),
    findParts(build),
  ]);
  return { kernel, runtime: await ensureRuntime(build, kernel, parts) };
}

/** The files of a platform, as a machine is given them. */
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

interface FoundParts {
  parts: RuntimeParts;
  /** Hash of the guest's agent */
  agent: string;
  versions: string[];
}

async function findParts({ deps }: ImageBuild): Promise<FoundParts> {
  const parts = await deps.runtimeParts();
  const [agent, ...versions] = await Promise.all([
    hashFile(parts.agent),
    ...[parts.node, parts.npm, ...parts.pty].map(versionOf),
  ]);
  return { parts, agent, versions };
}

function ensureRuntime(build: ImageBuild, kernel: Layer, { parts, agent, versions }: FoundParts): Promise<Layer> {
  return ensureLayer(build, {
    kind: 'runtime',
    recipe: { kernel: kernel.key, agent, setup: SETUP_SCRIPT, versions },
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
