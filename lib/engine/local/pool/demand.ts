/** Computes which clones the warm pool should hold. Pure. */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { WarmImage } from '../../../image/warm/warm-image.ts';
import { configFilesOf } from '../../../spec/config-files.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';
import type { InstanceRecord } from '../../../state/records.ts';

export interface Demand {
  spec: SandboxSpec;
  image: WarmImage;
  count: number;
  /** One of the sandboxes that ask for it */
  owner: string;
}

/** What a clone is taken for. */
export interface Wanted {
  /** Of the sandbox */
  id: string;
  spec: SandboxSpec;
  image: WarmImage;
}

/** By pool key. Sandboxes with one key share their clones; a sandbox that is off asks for none. */
export function poolDemand(records: InstanceRecord[]): Map<string, Demand> {
  const demand = new Map<string, Demand>();
  for (const { id, applied, image, desired, imageLacksPackages } of records) {
    if (applied === null || image === null || desired.power !== 'on' || applied.lifecycle.pool === 0) continue;
    // Its size or packages have changed since it was created: see resized-images.ts.
    if (imageLacksPackages === true) continue;
    if (!isDeepStrictEqual(image.size ?? applied.resources, applied.resources)) continue;
    const key = poolKeyOf({ id, spec: applied, image });
    const count = Math.max(applied.lifecycle.pool, demand.get(key)?.count ?? 0);
    demand.set(key, { spec: applied, image, count, owner: id });
  }
  return demand;
}

/** Equal for sandboxes whose VMs differ in nothing that is fixed before they run: image, size, what of the host they see. */
export function poolKeyOf({ id, spec, image }: Wanted): string {
  const { resources, workspace, mounts } = spec;
  // Without their lines in the file: another line changes no VM.
  const visible = mounts.map(({ host, guest, readonly }) => [host, guest, readonly]);
  const facts = JSON.stringify([
    image.key,
    resources,
    workspace,
    visible,
    configFilesOf(spec).toSorted(),
    ...keptOf(id, spec),
  ]);
  return createHash('sha256').update(facts).digest('hex');
}

/** Kept folders are those of one sandbox, and fixed for a VM. */
function keptOf(id: string, { agent: { keep, keepExcept } }: SandboxSpec): unknown[] {
  return keep === undefined ? [] : [id, keep, keepExcept];
}
