/** Frees what no sandbox uses: layers outside of every chain, and what killed builders left. */
import type { Layer, Store } from './store.ts';

export interface Garbage {
  kind: string;
  key: string;
  bytes: number;
  reason: string;
}

/** `used`: the layers of every instance's chain. Parents of used layers are in those chains. */
export async function collectGarbage(
  store: Store,
  used: { kind: string; key: string }[],
  dryRun: boolean,
): Promise<Garbage[]> {
  const kept = new Set(used.map(({ kind, key }) => `${kind}-${key}`));
  const layers = await store.list();
  const unused = layers.filter((layer) => !kept.has(`${layer.kind}-${layer.key}`));
  if (!dryRun) for (const layer of unused) await store.remove(layer.kind, layer.key);
  const leftovers = await store.sweep(dryRun);
  return [
    ...unused.map((layer: Layer) => ({
      kind: layer.kind,
      key: layer.key,
      bytes: layer.bytes,
      reason: `no sandbox uses it (${layer.description})`,
    })),
    ...leftovers.map(({ name, bytes }) => ({ kind: 'leftover', key: name, bytes, reason: 'its builder was ended' })),
  ];
}
