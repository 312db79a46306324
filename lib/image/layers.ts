/** The chain of layers that a sandbox is cloned from: kernel and runtime; base → packages → agent → warm. */
import { join } from 'node:path';
import { allOrAbort } from '../system/all-or-abort.ts';
import { fileSteps, foundationSteps, imageUserSteps, packageSteps, trustSteps } from './bake/bake-script.ts';
import { ensureBaked } from './bake/baked-layer.ts';
import { hostExtraCas } from './bake/host-trust.ts';
import { type RootDisk, stackedOn } from './bake/root-disk.ts';
import { BASE_FILES } from './base/base.ts';
import { ensureBase, isOci } from './base/base-layer.ts';
import { dockerSteps } from './docker/docker-steps.ts';
import { bootFiles, ensurePlatform, type Platform } from './platform/platform.ts';
import type { ImageBuild, ImageDeps, ImageEvents, ImageRequest } from './store/image-build.ts';
import type { Layer } from './store/store.ts';
import type { WarmImage } from './warm/warm-image.ts';
import { ensureWarmLayer, WARM_FILES } from './warm/warm-layer.ts';

/** Builds missing layers and reuses the others. Several callers of one key share one build. */
export async function ensureWarm(deps: ImageDeps, request: ImageRequest, events: ImageEvents): Promise<WarmImage> {
  const build = { deps, request, events };
  // Fails before minutes of building on a host that cannot run a VM.
  await deps.driver.identity();
  const { platform, base } = await ensureFoundation(build);
  const packages = await ensurePackages(build, platform, base);
  const agent = await ensureAgent(build, platform, packages);
  const warm = await ensureWarmLayer(build, platform, agent);
  const { cpus, memoryBytes, diskBytes } = request;
  return {
    key: warm.key,
    chain: chainOf([platform.kernel, platform.runtime, base, packages.layer, agent.layer, warm]),
    ...bootFiles(platform),
    backing: stackedOn(agent, warm).backing,
    overlay: join(warm.dir, WARM_FILES.overlay),
    size: { cpus, memoryBytes, diskBytes },
    warm: { ram: join(warm.dir, WARM_FILES.ram), device: join(warm.dir, WARM_FILES.device) },
  };
}

/**
 * The kernel and the runtime disk of this build. A disk boots with them whatever it was cloned with, so that the guest's programs and the host's are
 * of one version.
 */
export async function currentPlatform(
  deps: ImageDeps,
  request: ImageRequest,
  events: ImageEvents,
): Promise<Pick<WarmImage, 'chain' | 'kernel' | 'initrd' | 'runtimeDisk'>> {
  const platform = await ensurePlatform({ deps, request, events });
  return { chain: chainOf([platform.kernel, platform.runtime]), ...bootFiles(platform) };
}

/** Both at once, since neither needs the other. */
async function ensureFoundation(build: ImageBuild): Promise<{ platform: Platform; base: Layer }> {
  const [platform, base] = await allOrAbort(build.events.signal, (signal) => {
    const part = { ...build, events: { ...build.events, signal } };
    return [ensurePlatform(part), ensureBase(part)];
  });
  return { platform, base };
}

async function ensurePackages(build: ImageBuild, platform: Platform, base: Layer): Promise<RootDisk> {
  return ensureBaked(build, {
    platform,
    parent: { layer: base, backing: [join(base.dir, BASE_FILES.disk)], format: 'raw' },
    kind: 'packages',
    steps: [
      ...(isOci(build.request.base) ? imageUserSteps() : []),
      ...foundationSteps(),
      ...trustSteps(await hostExtraCas()),
      ...(build.request.docker ? dockerSteps() : []),
      ...packageSteps(build.request.packages),
    ],
  });
}

/** The layer below, where the agent adds nothing. */
async function ensureAgent(build: ImageBuild, platform: Platform, parent: RootDisk): Promise<RootDisk> {
  const { agentPackages, agentFiles } = build.request;
  const steps = [...packageSteps(agentPackages), ...fileSteps(agentFiles)];
  return steps.length === 0 ? parent : ensureBaked(build, { platform, parent, kind: 'agent', steps });
}

/** Each layer once. */
function chainOf(layers: Layer[]): WarmImage['chain'] {
  return [...new Map(layers.map(({ kind, key }) => [`${kind}-${key}`, { kind, key }])).values()];
}
