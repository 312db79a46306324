/** Lists the keys that the schema knows, for suggestions. */
import { fileSchema } from './schema.ts';

/** The keys known in the table at a path. */
export function keysAt(path: readonly PropertyKey[]): string[] {
  return shapesOf(nodeAt(path)).flatMap((shape) => Object.keys(shape));
}

/** True for `mounts`: each entry has a table of its own. */
export function isTableListAt(path: readonly PropertyKey[]): boolean {
  const definition = definitionOf(nodeAt(path));
  return definition?.type === 'array' && shapesOf(definition.element).length > 0;
}

/** The sections that have a key: for a key written without its section, or in another one. */
export function homesOf(key: string): string[] {
  return keysAt([]).filter((section) => section !== 'sandboxes' && keysAt([section]).includes(key));
}

/** The parts of a schema's definition that are read */
interface Definition {
  type: string;
  innerType?: unknown;
  options?: unknown[];
  element?: unknown;
  valueType?: unknown;
  shape?: Record<string, unknown>;
}

function definitionOf(node: unknown): Definition | undefined {
  const definition = (node as { def?: Definition } | undefined)?.def;
  return definition?.innerType === undefined ? definition : definitionOf(definition.innerType);
}

function nodeAt(path: readonly PropertyKey[]): unknown {
  return path.reduce(step, fileSchema);
}

function step(node: unknown, key: PropertyKey): unknown {
  const definition = definitionOf(node);
  if (definition?.type === 'union')
    return definition.options?.map((option) => step(option, key)).find((found) => found !== undefined);
  if (definition?.type === 'array') return definition.element;
  if (definition?.type === 'record') return definition.valueType;
  return definition?.shape?.[String(key)];
}

function shapesOf(node: unknown): Record<string, unknown>[] {
  const definition = definitionOf(node);
  if (definition?.type === 'union') return (definition.options ?? []).flatMap(shapesOf);
  return definition?.shape === undefined ? [] : [definition.shape];
}
