/** Reads what the engine knows of a sandbox: its status, its folders, its layers. */
import { statSync } from 'node:fs';
import { type Home, instancePaths } from '../../paths.ts';
import type { SandboxSpec } from '../../spec/spec.ts';
import { processUsage } from '../../system/process-usage.ts';
import type { KeptPlace, SandboxStatusFacts, SandboxStorage, SandboxUsage } from '../engine.ts';
import type { DiskWatch } from './disk/disk-watch.ts';
import type { ResizedImages } from './pool/resized-images.ts';
import type { SandboxPorts } from './sandbox-ports.ts';
import { isFinalized } from './steps/observe.ts';
import type { StepDeps } from './steps/step-deps.ts';
import { savedFacts } from './suspend/saved-state.ts';
import { keptFolders } from './workspace/kept.ts';
import { guestOf } from './workspace/workspaces.ts';

interface StatusParts {
  ports: SandboxPorts;
  disks: DiskWatch;
  resized: ResizedImages;
}

export function statusFacts(deps: StepDeps, { ports, disks, resized }: StatusParts, id: string): SandboxStatusFacts {
  const { driver, home, guests, gateway, records, workspaces } = deps;
  const vm = driver.find(instancePaths(home, id));
  const record = records.get(id);
  return {
    vm,
    finalized: vm !== undefined && record !== undefined && isFinalized(record, vm),
    connected: guests.answers(id),
    outOfMemory: vm === undefined ? undefined : guests.outOfMemory(id),
    diskBytes: allocatedBytes(instancePaths(home, id).disk),
    saved: vm === undefined ? savedFacts(instancePaths(home, id)) : undefined,
    sessions: guests.sessionsOf(id),
    newImage: record && resized.stateOf(record),
    networkReady: gateway.hashOf(id) !== undefined,
    workspaceWatched: vm === undefined ? undefined : workspaces.watchedOf(guestOf(home, id)),
    diskFull: disks.isWaiting(id),
    workspace: vm === undefined ? undefined : workspaces.state(guestOf(home, id)),
    ports: ports.stateOf(id),
    portUsage: ports.usage(id),
  };
}

export async function usageOf({ driver, home, guests, gateway }: StepDeps, id: string): Promise<SandboxUsage> {
  const paths = instancePaths(home, id);
  const vm = driver.find(paths);
  const stats = gateway.statsOf(id);
  const [host, guest] =
    vm === undefined ? [undefined, undefined] : await Promise.all([processUsage(vm.pid), guests.usageOf(id)]);
  return { host, guest, diskBytes: allocatedBytes(paths.disk), network: stats && networkUsage(stats) };
}

type NetworkUsage = NonNullable<SandboxUsage['network']>;

function networkUsage({ connections, allowed, denied, failed, bytesUp, bytesDown }: NetworkUsage) {
  return { connections, allowed, denied, failed, bytesUp, bytesDown };
}

export async function storageOf(deps: StepDeps, resized: ResizedImages, id: string): Promise<SandboxStorage> {
  const { home, image, records, pool } = deps;
  const { dir } = instancePaths(home, id);
  const record = records.require(id);
  const { image: own, applied } = record;
  const forClones = resized.withImage(record).image;
  const layers = await image.store.list();
  const bytesOf = (kind: string, key: string) =>
    layers.find((layer) => layer.kind === kind && layer.key === key)?.bytes ?? 0;
  return {
    instanceDir: dir,
    layers: (own?.chain ?? []).map(({ kind, key }) => ({ kind, key, bytes: bytesOf(kind, key) })),
    kept: await keptPlaces(home, id, applied ?? record.target),
    pool: {
      wanted: applied?.lifecycle.pool ?? 0,
      waiting: applied === null || forClones === null ? 0 : pool.waiting({ id, spec: applied, image: forClones }),
    },
  };
}

async function keptPlaces(home: Home, id: string, spec: SandboxSpec): Promise<KeptPlace[]> {
  const folders = await keptFolders(home, id, spec);
  return folders.map(({ guest, host }) => ({ path: guest, folder: host }));
}

/** Of a file, without its holes; 0 when there is none. */
function allocatedBytes(path: string): number {
  return (statSync(path, { throwIfNoEntry: false })?.blocks ?? 0) * 512;
}
