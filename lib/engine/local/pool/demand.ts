/** Which clones should wait, by the sandboxes that were applied: pure. */
import { createHash } from 'node:crypto';
import type { WarmImage } from '../../../image/warm/warm-image.ts';
import { configFilesOf } from '../../../spec/config-files.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';
import type { InstanceRecord } from '../../../state/records.ts';

export interface Wanted {
  spec: SandboxSpec;
  image: WarmImage;
  count: number;
}

/** By what fits to what. Sandboxes that are alike share their clones; those that are stopped ask for none. */
export function poolDemand(records: InstanceRecord[]): Map<string, Wanted> {
  const wanted = new Map<string, Wanted>();
  for (const { applied, image, desired } of records) {
    if (applied === null || image === null || desired.power === 'off' || applied.lifecycle.pool === 0) continue;
    const fit = poolKeyOf(applied, image);
    const count = Math.max(applied.lifecycle.pool, wanted.get(fit)?.count ?? 0);
    wanted.set(fit, { spec: applied, image, count });
  }
  return wanted;
}

/** The same for all whose machines differ in nothing that is settled before they run: image, size, what of the host they see. */
export function poolKeyOf(spec: SandboxSpec, image: WarmImage): string {
  const { resources, workspace, mounts } = spec;
  // Not where they stand in the file: a line more above changes no machine.
  const shown = mounts.map(({ host, guest, readonly }) => [host, guest, readonly]);
  const facts = JSON.stringify([image.key, resources, workspace, shown, configFilesOf(spec).toSorted()]);
  return createHash('sha256').update(facts).digest('hex');
}
