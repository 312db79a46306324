/** Compares two specs of one sandbox field by field. Pure; provenance is ignored. */
import { isDeepStrictEqual } from 'node:util';
import type { SandboxSpec, Source } from '../spec/spec.ts';
import { comparable, describeEntry as describe } from './compare.ts';
import { EFFECTS } from './effects.ts';
import type { Change } from './types.ts';
import { widensField } from './widening.ts';

export function diffSpecs(from: SandboxSpec, to: SandboxSpec): Change[] {
  return Object.entries(EFFECTS).flatMap(([field, effects]) => {
    if (effects === undefined) return [];
    const [before, after] = [from[field as keyof SandboxSpec], to[field as keyof SandboxSpec]];
    if (typeof effects === 'string') return change(to, field, before, after, effects);
    return Object.entries(effects).flatMap(([key, effect]) =>
      effect === undefined
        ? []
        : change(
            to,
            `${field}.${key}`,
            (before as Record<string, unknown>)[key],
            (after as Record<string, unknown>)[key],
            effect,
          ),
    );
  });
}

function change(to: SandboxSpec, path: string, before: unknown, after: unknown, effect: Change['effect']): Change[] {
  const [from, next] = [comparable(before), comparable(after)];
  if (isDeepStrictEqual(from, next)) return [];
  return [
    {
      sandbox: to.name,
      path,
      from,
      to: next,
      effect,
      widens: widensField(path, from, next),
      source: sourceOf(to, path, from, next),
    },
  ];
}

/** The place of the first new entry, else of the field, else of the nearest parent that has one. */
function sourceOf(spec: SandboxSpec, path: string, from: unknown, to: unknown): Source {
  if (Array.isArray(to) && Array.isArray(from)) {
    const known = new Set(from.map((item) => JSON.stringify(item)));
    const fresh = to.findIndex((item) => !known.has(JSON.stringify(item)));
    const text = fresh < 0 ? undefined : JSON.stringify(to[fresh]);
    const index = text === undefined ? -1 : listAt(spec, path).findIndex((item) => JSON.stringify(item) === text);
    const found = spec.sources[`${schemaPath(path)}[${Math.max(index, 0)}]`];
    if (found !== undefined) return found;
  }
  for (let at = schemaPath(path); at !== ''; at = at.includes('.') ? at.slice(0, at.lastIndexOf('.')) : '') {
    const found = spec.sources[at];
    if (found !== undefined) return found;
  }
  return 'default';
}

function listAt(spec: SandboxSpec, path: string): unknown[] {
  const value = path
    .split('.')
    .reduce<unknown>((node, key) => (node as Record<string, unknown> | undefined)?.[key], spec);
  return Array.isArray(value)
    ? value.map((item) =>
        typeof item === 'object' && item !== null ? describe(item as Record<string, unknown>) : item,
      )
    : [];
}

/** The name in sandbox.toml of a field of the spec. */
function schemaPath(path: string): string {
  const names: Record<string, string> = {
    'resources.memoryBytes': 'resources.memory',
    'resources.diskBytes': 'resources.disk',
    'lifecycle.idleSeconds': 'lifecycle.idle',
    'agent.mcpFile': 'agent.mcp_file',
    'agent.mcpFormat': 'agent.mcp_format',
  };
  return names[path] ?? path;
}
