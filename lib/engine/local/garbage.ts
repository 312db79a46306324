/** Removes the layers that no sandbox uses, and what was kept for projects that are gone. */
import { collectGarbage } from '../../image/store/gc.ts';
import type { WarmImage } from '../../image/warm/warm-image.ts';
import type { InstanceRecord } from '../../state/records.ts';
import type { Collected, GarbageRules } from '../engine.ts';
import { collectKept } from './kept-garbage.ts';
import type { ResizedImages } from './pool/resized-images.ts';
import type { VmDeps } from './vm/deps.ts';

export async function collectUnused(
  { home, records, image }: Pick<VmDeps, 'home' | 'records' | 'image'>,
  resized: ResizedImages,
  rules: GarbageRules,
): Promise<Collected> {
  const used = [...records.list().flatMap(layersOf), ...resized.layers];
  const layers = await collectGarbage(image.store, used, rules);
  const folders = collectKept(home, new Set(records.list().map(({ id }) => id)), rules);
  return { freed: [...layers.freed, ...folders.freed], kept: [...layers.kept, ...folders.kept] };
}

function layersOf({ image, built, bootedWith }: InstanceRecord): WarmImage['chain'] {
  return [...(image?.chain ?? []), ...(built?.chain ?? []), ...(bootedWith ?? [])];
}
