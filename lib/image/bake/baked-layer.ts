/** Builds a layer by running steps in a VM on the layer below it: packages, agent. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { bootSupervised, noSpace } from '../../vm/boot-supervisor.ts';
import type { VmDriver, VmPaths } from '../../vm/driver.ts';
import type { Platform } from '../platform/platform.ts';
import { ensureLayer } from '../store/ensure-layer.ts';
import type { ImageBuild } from '../store/image-build.ts';
import { bake } from './bake.ts';
import { bakeConfig } from './bake-config.ts';
import { bakePaths } from './bake-paths.ts';
import type { BakeStep } from './bake-script.ts';
import { fetchNpm } from './npm-fetch.ts';
import { makeOverlay, type RootDisk, rootDiskIn, stackedOn } from './root-disk.ts';

const LOOK_MS = 2_000;

export interface BakeJob {
  platform: Platform;
  parent: RootDisk;
  kind: 'packages' | 'agent';
  steps: BakeStep[];
}

export async function ensureBaked(build: ImageBuild, job: BakeJob): Promise<RootDisk> {
  const { request, deps } = build;
  const layer = await ensureLayer(build, {
    kind: job.kind,
    recipe: {
      parent: job.parent.layer.key,
      runtime: job.platform.runtime.key,
      steps: job.steps.map(({ argv, user, input }) => (input === undefined ? argv : [argv, user, input])),
      env: request.env,
      disk: request.diskBytes,
    },
    parents: [job.parent.layer, job.platform.runtime],
    description: job.steps.at(-1)?.title ?? job.kind,
    fill: (dir, { key, signal }) =>
      fillBaked(build, job, { dir, log: join(deps.logs, `${job.kind}-${key}.log`), signal }),
  });
  return stackedOn(job.parent, layer);
}

interface Target {
  /** The layer's folder */
  dir: string;
  /** Of the steps' output */
  log: string;
  signal: AbortSignal | undefined;
}

async function fillBaked(build: ImageBuild, job: BakeJob, target: Target): Promise<void> {
  const { deps, request } = build;
  const { dir, signal } = target;
  const { backing, format } = job.parent;
  const disk = { target: rootDiskIn(dir), sizeBytes: request.diskBytes };
  await makeOverlay({ backing: backing[0] ?? '', format, ...disk, signal });
  const paths = bakePaths(dir);
  await mkdir(paths.dir, { mode: 0o700 });
  const shut = await deps.openEgress(paths, `bake ${job.kind}`);
  try {
    await runSteps(build, job, { ...target, paths });
  } finally {
    await deps.driver.destroy(paths);
    await shut();
    await rm(paths.dir, { recursive: true, force: true });
  }
}

async function runSteps(build: ImageBuild, job: BakeJob, target: Target & { paths: VmPaths }): Promise<void> {
  const { deps, request, events } = build;
  const { dir, log, paths, signal } = target;
  const { steps, disks } = await fetchNpm(build, { steps: job.steps, paths, signal });
  const memoryBytes = Math.max(request.memoryBytes, 2 * 1024 ** 3);
  const config = bakeConfig({ dir, parent: job.parent, platform: job.platform, cpus: request.cpus, memoryBytes });
  config.disks.push(...disks);
  const { guest } = await bootSupervised(deps.driver, config, paths, { signal });
  await using connection = guest;
  await whileSpace(deps.driver, paths, (full) =>
    bake(connection, {
      steps,
      env: request.env,
      log,
      onProgress: events.onProgress,
      onLine: events.onLine,
      signal: signal === undefined ? full : AbortSignal.any([signal, full]),
    }),
  );
  await connection.request('shutdown', {}).catch(() => {});
  await ended(deps.driver, paths);
}

/** Fails work in a VM that waits for disk space on the host, where it would wait for ever. @throws SbxError `no-space`, and `full` is aborted, as soon as the VM waits for space. */
async function whileSpace(driver: VmDriver, paths: VmPaths, work: (full: AbortSignal) => Promise<void>): Promise<void> {
  const full = new AbortController();
  let rejectFull = (_: unknown) => {};
  const waits = new Promise<never>((_, reject) => {
    rejectFull = reject;
  });
  const timer = setInterval(async () => {
    if ((await driver.health(paths)) !== 'disk-full') return;
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

async function ended(driver: VmDriver, paths: VmPaths): Promise<void> {
  for (let tries = 0; tries < 300 && driver.find(paths) !== undefined; tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 50));
}
