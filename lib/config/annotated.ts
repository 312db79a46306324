/** Values that know where they came from, and how two files of them become one. Pure. */
import type { Place } from '../errors.ts';
import { type Positions, pathOf } from './positions.ts';
import type { Source } from './spec.ts';

export type Annotated =
  | { kind: 'leaf'; value: string | number | boolean; place: Place }
  | { kind: 'list'; items: Annotated[]; place: Place }
  | { kind: 'table'; entries: Map<string, Annotated>; place: Place };

export type Table = Extract<Annotated, { kind: 'table' }>;

/** Lists that are joined when files are merged; any other list is replaced */
const UNITED =
  /^(packages\.|network\.(allow|deny|http)$|ports$|mounts$|credentials$|services$|workspace\.(hide|readonly|unprotect)$|extends$)/;

export function annotate(
  value: unknown,
  file: string,
  positions: Positions,
  keys: (string | number)[] = [],
): Annotated {
  const position = positions.get(pathOf(keys)) ?? { line: 1, column: 1 };
  const place = { file, ...position };
  if (Array.isArray(value))
    return {
      kind: 'list',
      items: value.map((item, index) => annotate(item, file, positions, [...keys, index])),
      place,
    };
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([key, item]): [string, Annotated] => [
      key,
      annotate(item, file, positions, [...keys, key]),
    ]);
    return { kind: 'table', entries: new Map(entries), place };
  }
  return { kind: 'leaf', value: value as string | number | boolean, place };
}

/** `over` wins; tables merge, united lists are joined without repeating. */
export function merge(base: Table, over: Table, path = ''): Table {
  const entries = new Map(base.entries);
  for (const [key, value] of over.entries) {
    const below = path === '' ? key : `${path}.${key}`;
    const known = entries.get(key);
    if (known?.kind === 'table' && value.kind === 'table') entries.set(key, merge(known, value, below));
    else if (known?.kind === 'list' && value.kind === 'list' && UNITED.test(below))
      entries.set(key, { ...value, items: unite(known.items, value.items) });
    else entries.set(key, value);
  }
  return { kind: 'table', entries, place: over.place };
}

function unite(first: Annotated[], second: Annotated[]): Annotated[] {
  const seen = new Set(first.map((item) => JSON.stringify(plain(item))));
  return [...first, ...second.filter((item) => !seen.has(JSON.stringify(plain(item))))];
}

export function plain(node: Annotated): unknown {
  if (node.kind === 'leaf') return node.value;
  if (node.kind === 'list') return node.items.map(plain);
  return Object.fromEntries([...node.entries].map(([key, value]) => [key, plain(value)]));
}

/** The place of every path, lists by element. */
export function sourcesOf(node: Annotated, keys: (string | number)[] = []): Record<string, Source> {
  const own = keys.length === 0 ? {} : { [pathOf(keys)]: node.place };
  if (node.kind === 'leaf') return own;
  const below =
    node.kind === 'list'
      ? node.items.map((item, index) => sourcesOf(item, [...keys, index]))
      : [...node.entries].map(([key, item]) => sourcesOf(item, [...keys, key]));
  return Object.assign({}, own, ...below);
}

export function without(table: Table, names: string[]): Table {
  return { ...table, entries: new Map([...table.entries].filter(([key]) => !names.includes(key))) };
}
