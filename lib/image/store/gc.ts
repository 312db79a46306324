/** Removes layers outside of every chain, and leftovers of killed builders. */
import type { Layer, Store } from './store.ts';

export interface Garbage {
  kind: string;
  key: string;
  bytes: number;
  reason: string;
}

/** `used`: layers of every instance's chain. What they, and builds under way, are made from is used with them. */
export async function collectGarbage(
  store: Store,
  used: { kind: string; key: string }[],
  dryRun: boolean,
): Promise<Garbage[]> {
  const layers = await store.list();
  const building = await store.building();
  const kept = withParents(layers, [...used, ...building.flatMap(({ layer, parents }) => [layer, ...parents])]);
  const unused = layers.filter((layer) => !kept.has(nameOf(layer)));
  if (!dryRun) for (const layer of unused) await store.remove(layer.kind, layer.key);
  const leftovers = await store.sweep(dryRun);
  return [
    ...unused.map((layer) => ({
      kind: layer.kind,
      key: layer.key,
      bytes: layer.bytes,
      reason: `no sandbox uses it (${layer.description})`,
    })),
    ...leftovers.map(({ name, bytes }) => ({ kind: 'leftover', key: name, bytes, reason: 'its builder was ended' })),
  ];
}

function withParents(layers: Layer[], used: { kind: string; key: string }[]): Set<string> {
  const byName = new Map(layers.map((layer) => [nameOf(layer), layer]));
  const kept = new Set<string>();
  const queue = used.map(nameOf);
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (kept.has(name)) continue;
    kept.add(name);
    queue.push(...(byName.get(name)?.parents ?? []).map(nameOf));
  }
  return kept;
}

function nameOf({ kind, key }: { kind: string; key: string }): string {
  return `${kind}-${key}`;
}
