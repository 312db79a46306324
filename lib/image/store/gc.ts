/** Removes layers outside of every chain, and leftovers of killed builders. */
import type { Layer, MeasuredLayer, Store } from './store.ts';

interface Garbage {
  kind: string;
  key: string;
  bytes: number;
  reason: string;
  /** ISO times; absent: a leftover */
  createdAt?: string;
  lastUsedAt?: string;
}

interface GarbageRules {
  dryRun: boolean;
  /** Also layers that take minutes to build again */
  all: boolean;
  /** Layers that were used in this time are kept */
  keepSeconds: number;
}

interface Collected {
  freed: Garbage[];
  /** Layers that no sandbox uses, and that stay all the same */
  kept: Garbage[];
}

/** Kinds that are baked in a VM, or downloaded */
const SLOW: ReadonlySet<string> = new Set(['base', 'packages', 'agent']);

/** `used`: layers of every instance's chain. What they, and builds under way, are made from is used with them. */
export async function collectGarbage(
  store: Store,
  used: { kind: string; key: string }[],
  rules: GarbageRules,
): Promise<Collected> {
  const layers = await store.list();
  const building = await store.building();
  const needed = withParents(layers, [...used, ...building.flatMap(({ layer, parents }) => [layer, ...parents])]);
  const unused = layers.filter((layer) => !needed.has(nameOf(layer)));
  const reasons = keptOf(unused, rules, Date.now());
  const free = unused.filter((layer) => !reasons.has(nameOf(layer)));
  if (!rules.dryRun) for (const layer of free) await store.remove(layer.kind, layer.key);
  const leftovers = await store.sweep(rules.dryRun);
  return {
    freed: [
      ...free.map((layer) => garbageOf(layer, `no sandbox uses it (${layer.description})`)),
      ...leftovers.map(({ name, bytes }) => ({ kind: 'leftover', key: name, bytes, reason: 'its builder was ended' })),
    ],
    kept: unused.flatMap((layer) => {
      const reason = reasons.get(nameOf(layer));
      return reason === undefined ? [] : [garbageOf(layer, `${reason} (${layer.description})`)];
    }),
  };
}

/** The reasons why unused layers stay, by name. A layer is damaged without what it was made from, so that stays, too. */
function keptOf(unused: MeasuredLayer[], { all, keepSeconds }: GarbageRules, now: number): Map<string, string> {
  const reasons = new Map<string, string>();
  for (const layer of unused) {
    if (!all && SLOW.has(layer.kind)) reasons.set(nameOf(layer), 'takes minutes to build again: --all frees it');
    else if (now - Date.parse(layer.lastUsedAt) < keepSeconds * 1_000)
      reasons.set(nameOf(layer), 'used lately: --keep');
  }
  const roots = unused.filter((layer) => reasons.has(nameOf(layer)));
  for (const name of withParents(unused, roots))
    if (!reasons.has(name)) reasons.set(name, 'another layer that is kept is made from it');
  return reasons;
}

function garbageOf({ kind, key, bytes, createdAt, lastUsedAt }: MeasuredLayer, reason: string): Garbage {
  return { kind, key, bytes, reason, createdAt, lastUsedAt };
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
