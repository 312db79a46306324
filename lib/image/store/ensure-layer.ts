/** Finds a layer by its key, or builds it. */
import { createHash } from 'node:crypto';
import type { ImageBuild } from './image-build.ts';
import type { Layer } from './store.ts';

interface FillContext {
  key: string;
  signal: AbortSignal | undefined;
  onLine: (line: string) => void;
}

export interface LayerPlan {
  kind: string;
  /** Everything that the layer depends on: its key is the hash of it */
  recipe: unknown;
  parents: Layer[];
  /** For people */
  description: string;
  fill: (dir: string, context: FillContext) => Promise<void>;
}

/** Several callers of one key share one build. */
export async function ensureLayer({ deps, events }: ImageBuild, plan: LayerPlan): Promise<Layer> {
  const { kind, description } = plan;
  const key = keyOf(plan.recipe);
  const found = await deps.store.get(kind, key, {
    onDamaged: () => events.onProgress(`the ${kind} layer is damaged: building it again`),
  });
  if (found !== undefined) return found;
  events.onProgress(`building the ${kind} layer (${description})`);
  return deps.store.build(
    kind,
    key,
    { parents: plan.parents.map((parent) => ({ kind: parent.kind, key: parent.key })), description },
    (dir, signal) => plan.fill(dir, { key, signal, onLine: events.onLine }),
    {
      signal: events.signal,
      onWait: () => events.onProgress(`waiting for another process that builds the same ${kind} layer`),
    },
  );
}

function keyOf(recipe: unknown): string {
  return createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 20);
}
