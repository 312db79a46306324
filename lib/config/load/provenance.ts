/** Attaches a place to each value, and merges the values of two files. Pure. */
import type { Place } from '../../errors.ts';
import { pathOf } from '../../spec/path-of.ts';
import type { Source } from '../../spec/spec.ts';
import type { Positions } from '../toml/positions.ts';

export type Annotated =
  | { kind: 'leaf'; value: string | number | boolean; place: Place }
  | { kind: 'list'; items: Annotated[]; place: Place }
  | { kind: 'table'; entries: Map<string, Annotated>; place: Place };

export type Table = Extract<Annotated, { kind: 'table' }>;

type Keys = (string | number)[];

/** The identity of a list entry: the later of two entries with the same one replaces the earlier */
const byField = (field: string) => (entry: unknown) => (entry as Record<string, unknown>)[field];
const byText = (entry: unknown) => entry;
const byPackage = (entry: unknown) => packageOf(String(entry));

/** Lists that are united when files are merged; any other list is replaced. */
const UNITED: Record<string, (entry: unknown) => unknown> = {
  'packages.apt': byPackage,
  'packages.npm': byPackage,
  'packages.pip': byPackage,
  'packages.setup': byText,
  'network.allow': byText,
  'network.deny': byText,
  'network.http': byText,
  'workspace.hide': byText,
  'workspace.readonly': byText,
  'workspace.private': byText,
  'workspace.unprotect': byText,
  // Replacing `keep` must not keep what a template leaves out.
  'agent.keep_except': byText,
  mounts: byField('guest'),
  ports: byField('guest'),
  services: byField('name'),
  credentials: byField('env'),
  extends: byText,
};

export function annotate(value: unknown, positions: Positions, keys: Keys = []): Annotated {
  if (Array.isArray(value))
    return {
      kind: 'list',
      items: value.map((item, index) => annotate(item, positions, [...keys, index])),
      place: positions.keyAt(keys),
    };
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([key, item]): [string, Annotated] => [
      key,
      annotate(item, positions, [...keys, key]),
    ]);
    return { kind: 'table', entries: new Map(entries), place: positions.keyAt(keys) };
  }
  return { kind: 'leaf', value: value as string | number | boolean, place: positions.valueAt(keys) };
}

/** `over` wins; tables merge; the lists of `UNITED` are united, base first. */
export function merge(base: Table, over: Table, path = ''): Table {
  const entries = new Map(base.entries);
  for (const [key, value] of over.entries) {
    const below = path === '' ? key : `${path}.${key}`;
    const known = entries.get(key);
    const identity = UNITED[below];
    if (known?.kind === 'table' && value.kind === 'table') entries.set(key, merge(known, value, below));
    else if (known?.kind === 'list' && value.kind === 'list' && identity !== undefined)
      entries.set(key, { ...value, items: unite(known.items, value.items, identity) });
    else entries.set(key, value);
  }
  return { kind: 'table', entries, place: over.place };
}

/** An equal entry keeps its first place; a different entry with the same identity replaces it. */
function unite(first: Annotated[], second: Annotated[], identity: (entry: unknown) => unknown): Annotated[] {
  const keyOf = (item: Annotated) => JSON.stringify(identity(plain(item)));
  const textOf = (item: Annotated) => JSON.stringify(plain(item));
  const known = new Set(first.map(textOf));
  const fresh = second.filter((item) => !known.has(textOf(item)));
  const replaced = new Set(fresh.map(keyOf));
  return [...first.filter((item) => !replaced.has(keyOf(item))), ...fresh];
}

/** `@scope/name@1.2`, `name==1.2`, `name[extra]>=1`, `name=1.2` → the name; an address or a path is its own name. */
function packageOf(text: string): string {
  return /^(@[\w.-]+\/)?[\w.+-]+(?=$|[@=<>!~[;])/.exec(text)?.[0] ?? text;
}

export function plain(node: Annotated): unknown {
  if (node.kind === 'leaf') return node.value;
  if (node.kind === 'list') return node.items.map(plain);
  return Object.fromEntries([...node.entries].map(([key, value]) => [key, plain(value)]));
}

/** The place of every path, lists by element. */
export function sourcesOf(root: Annotated): Record<string, Source> {
  const sources: Record<string, Source> = {};
  const visit = (node: Annotated, keys: Keys): void => {
    if (keys.length > 0) sources[pathOf(keys)] = node.place;
    if (node.kind === 'list') for (const [index, item] of node.items.entries()) visit(item, [...keys, index]);
    if (node.kind === 'table') for (const [key, item] of node.entries) visit(item, [...keys, key]);
  };
  visit(root, []);
  return sources;
}

export function without(table: Table, names: string[]): Table {
  return { ...table, entries: new Map([...table.entries].filter(([key]) => !names.includes(key))) };
}
