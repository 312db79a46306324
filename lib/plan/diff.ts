/** Compares two specs of one sandbox field by field. Pure; provenance is ignored. */
import { isDeepStrictEqual } from 'node:util';
import type { SandboxSpec, Source } from '../spec/spec.ts';
import { comparable, describeEntry as describe } from './compare.ts';
import { EFFECTS, effectOf } from './effects.ts';
import { fileName } from './file-name.ts';
import { whyNewDisk } from './packages.ts';
import type { Change } from './types.ts';
import { widensField } from './widening.ts';

/** Lists whose order matters; all others are compared as sets */
const ORDERED = new Set(['packages.setup', 'agent.command', 'agent.headless']);

export function diffSpecs(from: SandboxSpec, to: SandboxSpec): Change[] {
  return Object.entries(EFFECTS).flatMap(([field, effects]) => {
    if (effects === undefined) return [];
    const [before, after] = [from[field as keyof SandboxSpec], to[field as keyof SandboxSpec]];
    if (typeof effects === 'string') return change(to, { path: field, before, after, effect: effects });
    return Object.entries(effects).flatMap(([key, effect]) => {
      if (effect === undefined) return [];
      const path = `${field}.${key}`;
      const at = (table: unknown) => (table as Record<string, unknown> | undefined)?.[key];
      return change(to, { path, before: at(before), after: at(after), effect }).map((one) => {
        const reason = whyNewDisk(path, from, to);
        return reason === undefined ? one : { ...one, effect: 'rebuild' as const, reason };
      });
    });
  });
}

interface FieldPair {
  path: string;
  before: unknown;
  after: unknown;
  effect: Change['effect'];
}

function change(spec: SandboxSpec, { path, before, after, effect }: FieldPair): Change[] {
  // A list that a spec lacks is empty.
  const isList = Array.isArray(before ?? after);
  const [was, is] = isList ? [before ?? [], after ?? []] : [before, after];
  const [from, to] = ORDERED.has(path) ? [was, is] : [comparable(was), comparable(is)];
  if (isDeepStrictEqual(from, to)) return [];
  const widens = widensField(path, from, to);
  const source = sourceOf(spec, { path, from, to });
  return [{ sandbox: spec.name, path, from, to, effect: effectOf(path, { effect, from, to }), widens, source }];
}

/** The place of the first new entry, else of the field, else of the nearest parent that has one. */
function sourceOf(spec: SandboxSpec, { path, from, to }: Pick<Change, 'path' | 'from' | 'to'>): Source {
  if (Array.isArray(to) && Array.isArray(from ?? [])) {
    const known = new Set(((from ?? []) as unknown[]).map((item) => JSON.stringify(item)));
    const fresh = to.findIndex((item) => !known.has(JSON.stringify(item)));
    const text = fresh < 0 ? undefined : JSON.stringify(to[fresh]);
    const index = text === undefined ? -1 : listAt(spec, path).findIndex((item) => JSON.stringify(item) === text);
    const found = spec.sources[`${fileName(path)}[${Math.max(index, 0)}]`];
    if (found !== undefined) return found;
  }
  for (let at = fileName(path); at !== ''; at = at.includes('.') ? at.slice(0, at.lastIndexOf('.')) : '') {
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
