/** Removes the layers that no sandbox uses. */
import { collectGarbage } from '../../image/store/gc.ts';
import type { WarmImage } from '../../image/warm/warm-image.ts';
import type { InstanceRecord } from '../../state/records.ts';
import type { Collected, GarbageRules } from '../engine.ts';
import type { ResizedImages } from './pool/resized-images.ts';
import type { VmDeps } from './vm/deps.ts';

export function collectUnused(
  { records, image }: Pick<VmDeps, 'records' | 'image'>,
  resized: ResizedImages,
  rules: GarbageRules,
): Promise<Collected> {
  const used = [...records.list().flatMap(layersOf), ...resized.layers];
  return collectGarbage(image.store, used, rules);
}

function layersOf({ image, built, bootedWith }: InstanceRecord): WarmImage['chain'] {
  return [...(image?.chain ?? []), ...(built?.chain ?? []), ...(bootedWith ?? [])];
}
