/** The chain of layers that a sandbox is cloned from: kernel and runtime; base → packages → agent → warm. */

import { createHash } from 'node:crypto';
import { statfsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, SbxError } from '../errors.ts';
import type { GuestConnection } from '../guest/client.ts';
import { SETUP_SCRIPT } from '../guest/setup/script.ts';
import { run } from '../process.ts';
import type { Disk, VmDriver, VmPlaces, VmShape, WarmFiles } from '../vm/driver.ts';
import { bootSupervised, noSpace } from '../vm/supervise.ts';
import { aptSourcesFor } from './apt-sources.ts';
import { bake } from './bake.ts';
import { bakePlaces } from './bake-places.ts';
import { type BakeStep, fileSteps, foundationSteps, type PackageLists, packageSteps } from './bake-script.ts';
import { BASE_DISK_BYTES, BASE_FILES, BASE_PACKAGES, fillDistributionBase, fillTarBase } from './base.ts';
import { BUNDLES, hostExtraCas } from './host-trust.ts';
import { fillKernel, KERNEL_FILES, kernelRecipe } from './kernel.ts';
import { memoByFiles } from './memo.ts';
import { canStage, stageNpm } from './npm-stage.ts';
import { NPM_DISK, stagedSteps } from './npm-steps.ts';
import { fillRuntime, RUNTIME_FILES, type RuntimeParts } from './runtime.ts';
import type { Layer, Store } from './store.ts';
import { warmUp } from './warm.ts';

export interface ImageRequest {
  /** `debian:<suite>`, `ubuntu:<suite>` or the path of a tar */
  base: string;
  packages: PackageLists;
  /** What the agent's template adds: a layer of its own */
  agentPackages: PackageLists;
  /** Path → content, in that layer */
  agentFiles: Record<string, string>;
  cpus: number;
  memoryBytes: number;
  diskBytes: number;
  /** Environment of the bake's commands */
  env: Record<string, string>;
}

export interface ImageDeps {
  store: Store;
  driver: VmDriver;
  runtimeParts: () => Promise<RuntimeParts>;
  /** Serves the gateway's socket of a bake with the presets' hosts; the returned function shuts it */
  openDoor: (places: VmPlaces, name: string) => Promise<() => Promise<void>>;
  /** Folder of bake logs */
  logs: string;
}

export interface ImageEvents {
  onProgress: (message: string) => void;
  onLine: (line: string) => void;
  signal?: AbortSignal | undefined;
}

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
}

const ROOT = 'disk.qcow2';
const OVERLAY = 'overlay.qcow2';
const WARM = { ram: 'ram', device: 'device' } as const;

interface Platform {
  kernel: Layer;
  runtime: Layer;
}

const knownSources = memoByFiles(
  ['/etc/apt/sources.list', '/etc/apt/sources.list.d', '/etc/apt/apt.conf.d', '/etc/os-release'],
  (distribution: 'debian' | 'ubuntu', suite: string) => aptSourcesFor(distribution, suite),
);

const knownTrust = memoByFiles([...BUNDLES, '/usr/share/ca-certificates/mozilla'], () => hostExtraCas());

/** Bakes what is missing, reuses what is there. Several callers of one key share one build. */
export async function ensureWarm(deps: ImageDeps, request: ImageRequest, events: ImageEvents): Promise<WarmImage> {
  // A host that cannot run a machine is told so before minutes of building.
  await deps.driver.identity();
  const platform = await ensurePlatform(deps, request, events);
  const base = await ensureBase(deps, request, events);
  const trust = await knownTrust();
  const foundation: RootDisk = { layer: base, backing: [join(base.dir, BASE_FILES.disk)], format: 'raw' };
  const packages = await ensureBaked(deps, request, events, {
    platform,
    parent: foundation,
    kind: 'packages',
    steps: [...foundationSteps(), ...packageSteps(request.packages)],
    trust,
  });
  const agentSteps = [...packageSteps(request.agentPackages), ...fileSteps(request.agentFiles)];
  const agent =
    agentSteps.length === 0
      ? packages
      : await ensureBaked(deps, request, events, {
          platform,
          parent: packages,
          kind: 'agent',
          steps: agentSteps,
          trust: '',
        });
  const warm = await ensureWarmLayer(deps, request, events, platform, agent);
  const chain = [platform.kernel, platform.runtime, base, packages.layer, agent.layer, warm];
  return {
    key: warm.key,
    chain: [
      ...new Map(chain.map((layer) => [`${layer.kind}-${layer.key}`, { kind: layer.kind, key: layer.key }])).values(),
    ],
    kernel: join(platform.kernel.dir, KERNEL_FILES.kernel),
    initrd: join(platform.kernel.dir, KERNEL_FILES.initrd),
    runtimeDisk: runtimeDisk(platform),
    backing: [join(warm.dir, ROOT), ...agent.backing],
    overlay: join(warm.dir, OVERLAY),
    warm: { ram: join(warm.dir, WARM.ram), device: join(warm.dir, WARM.device) },
  };
}

/**
 * Checks the layers that a sandbox's own disk stands on. They stay usable whatever a new image would be made of: another QEMU, another sbx.
 * @throws SbxError `layer-damaged` when one is gone or damaged: the disk on it cannot be read any more.
 */
export async function verifyImage(deps: ImageDeps, image: WarmImage): Promise<void> {
  for (const { kind, key } of image.chain) {
    if ((await deps.store.get(kind, key)) !== undefined) continue;
    throw new SbxError('layer-damaged', 'a layer under the disk of this sandbox is gone or damaged', {
      why: `${kind}-${key} in the store`,
      hint: '`sbx reset` makes the sandbox anew; what its own disk holds outside of the workspace is lost',
    });
  }
}

interface RootDisk {
  layer: Layer;
  /** Nearest first */
  backing: string[];
  format: 'raw' | 'qcow2';
}

async function ensurePlatform(deps: ImageDeps, request: ImageRequest, events: ImageEvents): Promise<Platform> {
  const source = distributionOf(request.base) ?? (await hostDistribution());
  const sources = await knownSources(source.distribution, source.suite);
  const kernelKey = keyOf({ source, sources, recipe: kernelRecipe() });
  const kernel = await build(
    deps,
    events,
    'kernel',
    kernelKey,
    [],
    `kernel of ${source.distribution}:${source.suite}`,
    (dir, options) => fillKernel(dir, { ...source, sources }, options).then(() => {}),
  );
  const parts = await deps.runtimeParts();
  const agent = createHash('sha256')
    .update(await readFile(parts.agent))
    .digest('hex');
  const runtimeKey = keyOf({
    kernel: kernel.key,
    agent,
    setup: SETUP_SCRIPT,
    versions: await Promise.all([parts.node, parts.npm, ...parts.pty].map(versionOf)),
  });
  const runtime = await build(deps, events, 'runtime', runtimeKey, [kernel], 'guest runtime', (dir, options) =>
    fillRuntime(dir, kernel.dir, parts, options.signal),
  );
  return { kernel, runtime };
}

async function ensureBase(deps: ImageDeps, request: ImageRequest, events: ImageEvents): Promise<Layer> {
  const source = distributionOf(request.base);
  if (source !== undefined) {
    const sources = await knownSources(source.distribution, source.suite);
    const key = keyOf({ source, sources, BASE_PACKAGES, BASE_DISK_BYTES });
    return build(deps, events, 'base', key, [], request.base, (dir, options) =>
      fillDistributionBase(dir, { suite: source.suite, sources }, options),
    );
  }
  const key = keyOf({ tar: await hashOfFile(request.base), BASE_DISK_BYTES });
  return build(deps, events, 'base', key, [], request.base, (dir, options) => fillTarBase(dir, request.base, options));
}

interface BakeJob {
  platform: Platform;
  parent: RootDisk;
  kind: 'packages' | 'agent';
  steps: BakeStep[];
  /** The host's extra CAs; empty when a parent has them */
  trust: string;
}

async function ensureBaked(
  deps: ImageDeps,
  request: ImageRequest,
  events: ImageEvents,
  job: BakeJob,
): Promise<RootDisk> {
  const key = keyOf({
    parent: job.parent.layer.key,
    runtime: job.platform.runtime.key,
    steps: job.steps.map(({ argv, user, input }) => (input === undefined ? argv : [argv, user, input])),
    trust: job.trust,
    env: request.env,
    disk: request.diskBytes,
  });
  const layer = await build(
    deps,
    events,
    job.kind,
    key,
    [job.parent.layer, job.platform.runtime],
    job.steps.at(-1)?.title ?? job.kind,
    async (dir, { signal }) => {
      await makeOverlay(job.parent.backing[0] ?? '', job.parent.format, join(dir, ROOT), request.diskBytes, signal);
      const places = bakePlaces(dir);
      await mkdir(places.dir, { mode: 0o700 });
      const shut = await deps.openDoor(places, `bake ${job.kind}`);
      try {
        const { steps, disks } = await fetchNpm(deps, request, events, { job, places, signal });
        const shape = shapeOf(request, job.platform, join(dir, ROOT), job.parent.backing, {
          cpus: request.cpus,
          memoryBytes: Math.max(request.memoryBytes, 2 * 1024 ** 3),
        });
        shape.disks.push(...disks);
        const { guest } = await bootSupervised(deps.driver, shape, places, signal === undefined ? {} : { signal });
        await using connection = guest;
        if (job.trust !== '') await addTrust(connection, job.trust);
        await whileSpace(deps.driver, places, (full) =>
          bake(connection, {
            steps,
            env: request.env,
            log: join(deps.logs, `${job.kind}-${key}.log`),
            onProgress: events.onProgress,
            onLine: events.onLine,
            signal: signal === undefined ? full : AbortSignal.any([signal, full]),
          }),
        );
        await connection.request('shutdown', {}).catch(() => {});
        await ended(deps.driver, places);
      } finally {
        await deps.driver.destroy(places);
        await shut();
        await rm(places.dir, { recursive: true, force: true });
      }
    },
  );
  return { layer, backing: [join(layer.dir, ROOT), ...job.parent.backing], format: 'qcow2' };
}

/** npm's packages are fetched on the host where that gives the same: on a base whose C library is known. Otherwise the guest's npm does it. */
async function fetchNpm(
  deps: ImageDeps,
  request: ImageRequest,
  events: ImageEvents,
  { job, places, signal }: { job: BakeJob; places: VmPlaces; signal: AbortSignal | undefined },
): Promise<{ steps: BakeStep[]; disks: Disk[] }> {
  const packages = job.steps.flatMap((step) => step.npm ?? []);
  if (!canStage(packages) || distributionOf(request.base) === undefined) return { steps: job.steps, disks: [] };
  const { node, npm } = await deps.runtimeParts();
  events.onProgress(`fetching ${packages.join(' ')}`);
  try {
    const path = await stageNpm({
      packages,
      // Removed with the rest of the machine.
      dir: places.dir,
      door: places.door,
      node,
      npm,
      env: request.env,
      trust: await knownTrust(),
      signal,
    });
    const steps = job.steps.flatMap((step) => (step.npm === undefined ? [step] : stagedSteps(step.npm)));
    return { steps, disks: [{ serial: NPM_DISK, path, format: 'raw', readonly: true, backing: [] }] };
  } catch (error) {
    signal?.throwIfAborted();
    const why = error instanceof SbxError ? (error.why ?? error.message) : String(error);
    events.onLine(`npm on the host: ${why}`);
    return { steps: job.steps, disks: [] };
  }
}

const LOOK_MS = 2_000;

/** A machine whose disk finds no space on the host waits for ever. @throws SbxError `no-space` instead. */
async function whileSpace(
  driver: VmDriver,
  places: VmPlaces,
  work: (full: AbortSignal) => Promise<void>,
): Promise<void> {
  const full = new AbortController();
  let rejectFull = (_: unknown) => {};
  const waits = new Promise<never>((_, reject) => {
    rejectFull = reject;
  });
  const timer = setInterval(async () => {
    if ((await driver.health(places)) !== 'disk-full') return;
    const error = noSpace();
    rejectFull(error);
    full.abort(error);
  }, LOOK_MS);
  try {
    await Promise.race([work(full.signal), waits]);
  } finally {
    clearInterval(timer);
  }
}

/** Before anything is fetched: `update-ca-certificates` of the foundation puts it into the bundle. */
async function addTrust(guest: GuestConnection, pem: string): Promise<void> {
  const script = 'mkdir -p /usr/local/share/ca-certificates && cat > /usr/local/share/ca-certificates/sbx-host.crt';
  const child = guest.exec({ argv: ['/bin/sh', '-c', script], user: 'root', cwd: '/', stdin: true });
  child.stdin.end(pem);
  await child.exit;
}

async function ensureWarmLayer(
  deps: ImageDeps,
  request: ImageRequest,
  events: ImageEvents,
  platform: Platform,
  parent: RootDisk,
): Promise<Layer> {
  const key = keyOf({
    parent: parent.layer.key,
    runtime: platform.runtime.key,
    driver: await deps.driver.identity(),
    cpus: request.cpus,
    memory: request.memoryBytes,
    disk: request.diskBytes,
  });
  return build(
    deps,
    events,
    'warm',
    key,
    [parent.layer, platform.runtime, platform.kernel],
    'warm snapshot',
    async (dir, { signal }) => {
      requireSpace(dir, Math.min(request.memoryBytes, WARM_SPACE_BYTES));
      await makeOverlay(parent.backing[0] ?? '', parent.format, join(dir, ROOT), request.diskBytes, signal);
      const places = bakePlaces(dir);
      await mkdir(places.dir, { mode: 0o700 });
      try {
        const files = { ram: join(dir, WARM.ram), device: join(dir, WARM.device) };
        const shape = shapeOf(request, platform, join(dir, ROOT), parent.backing, request);
        const { guest } = await bootSupervised(deps.driver, shape, places, {
          ramFile: files.ram,
          ...(signal === undefined ? {} : { signal }),
        });
        await warmUp(guest, places.setup);
        await deps.driver.snapshot(places, files, signal);
      } finally {
        await deps.driver.destroy(places);
        await rm(places.dir, { recursive: true, force: true });
      }
      // Its backing file is named by the path that the layer will have once it is sealed.
      await makeOverlay(
        join(deps.store.pathOf('warm', key), ROOT),
        'qcow2',
        join(dir, OVERLAY),
        request.diskBytes,
        signal,
      );
    },
  );
}

/** A booted guest's memory before holes are dug */
const WARM_SPACE_BYTES = 1024 ** 3;

/** Memory in a file ends its machine where the disk is full, without a word: so it is not begun. */
function requireSpace(dir: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(dir);
  if (bavail * bsize >= bytes) return;
  throw new SbxError('no-space', 'no space left for a warm snapshot', {
    why: `${Math.floor((bavail * bsize) / 1024 ** 2)} MiB are free, ${Math.floor(bytes / 1024 ** 2)} MiB are needed for a moment`,
    hint: 'free some space, for example by `sbx gc`, or set SBX_HOME to a larger disk',
  });
}

/** A new instance's disk: a copy of the empty overlay. */
export async function cloneDisk(image: WarmImage, target: string): Promise<void> {
  try {
    await copyFile(image.overlay, target);
  } catch (error) {
    if (errnoOf(error) === 'ENOSPC')
      throw new SbxError('no-space', 'no space left for the disk of a sandbox', {
        hint: 'free some space, for example by `sbx gc`',
        cause: error,
      });
    throw error;
  }
}

/** The machine of an instance, or of a bake. */
export function shapeOf(
  _request: unknown,
  platform: Platform,
  disk: string,
  backing: string[],
  size: { cpus: number; memoryBytes: number },
): VmShape {
  return {
    cpus: size.cpus,
    memoryBytes: size.memoryBytes,
    kernel: join(platform.kernel.dir, KERNEL_FILES.kernel),
    initrd: join(platform.kernel.dir, KERNEL_FILES.initrd),
    cmdline: '',
    disks: [{ serial: 'sbx-root', path: disk, format: 'qcow2', readonly: false, backing }, runtimeDisk(platform)],
    mounts: [],
  };
}

function runtimeDisk(platform: Platform): Disk {
  return {
    serial: 'sbx-runtime',
    path: join(platform.runtime.dir, RUNTIME_FILES.disk),
    format: 'raw',
    readonly: true,
    backing: [],
  };
}

async function build(
  deps: ImageDeps,
  events: ImageEvents,
  kind: string,
  key: string,
  parents: Layer[],
  description: string,
  fill: (dir: string, options: { signal?: AbortSignal; onLine: (line: string) => void }) => Promise<void>,
): Promise<Layer> {
  const found = await deps.store.get(kind, key, {
    onDamaged: () => events.onProgress(`the ${kind} layer is damaged: building it again`),
  });
  if (found !== undefined) return found;
  events.onProgress(`building the ${kind} layer (${description})`);
  return deps.store.build(
    kind,
    key,
    { parents: parents.map((parent) => ({ kind: parent.kind, key: parent.key })), description },
    (dir, signal) => fill(dir, { ...(signal === undefined ? {} : { signal }), onLine: events.onLine }),
    {
      ...(events.signal === undefined ? {} : { signal: events.signal }),
      onWait: () => events.onProgress(`waiting for another process that builds the same ${kind} layer`),
    },
  );
}

async function makeOverlay(
  backing: string,
  format: 'raw' | 'qcow2',
  target: string,
  sizeBytes: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  // -u: the backing file's final place may not exist yet.
  await run(
    'qemu-img',
    ['create', '-q', '-u', '-f', 'qcow2', '-b', backing, '-F', format, target, String(sizeBytes)],
    signal === undefined ? {} : { signal },
  );
}

async function ended(driver: VmDriver, places: VmPlaces): Promise<void> {
  for (let tries = 0; tries < 300 && driver.find(places) !== undefined; tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 50));
}

function distributionOf(base: string): { distribution: 'debian' | 'ubuntu'; suite: string } | undefined {
  const match = /^(debian|ubuntu):([a-z]+)$/.exec(base);
  return match?.[1] === undefined || match[2] === undefined
    ? undefined
    : { distribution: match[1] as 'debian' | 'ubuntu', suite: match[2] };
}

/** A tar brings no kernel: the host's own distribution gives it. */
async function hostDistribution(): Promise<{ distribution: 'debian' | 'ubuntu'; suite: string }> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const id = /^ID="?(\w+)"?/m.exec(text)?.[1];
  const suite = /^VERSION_CODENAME="?(\w+)"?/m.exec(text)?.[1];
  if ((id === 'debian' || id === 'ubuntu') && suite !== undefined) return { distribution: id, suite };
  throw new SbxError('image-source', 'no kernel can be had on this host', {
    why: `the host is ${id ?? 'unknown'}, not Debian or Ubuntu`,
  });
}

async function versionOf(folder: string): Promise<string> {
  const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
  };
  return `${manifest.name}@${manifest.version}`;
}

async function hashOfFile(path: string): Promise<string> {
  const { createReadStream } = await import('node:fs');
  const { pipeline } = await import('node:stream/promises');
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path), hash);
  } catch (error) {
    throw new SbxError('image-source', `the root file system ${path} cannot be read`, {
      why: errnoOf(error) ?? 'unknown',
      hint: 'check [image] base',
      cause: error,
    });
  }
  return hash.digest('hex');
}

function keyOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 20);
}
