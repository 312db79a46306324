/** Adds an entry to a list of a TOML text; comments, order and line ends stay as they are. Pure. */
import { isDeepStrictEqual } from 'node:util';
import { parse as parseForPatch, patch } from '@decimalturn/toml-patch';
import { parseTOML } from 'toml-eslint-parser';
import { pathOf } from '../../spec/path-of.ts';
import { parseText } from './read-toml.ts';

export interface ListEntry {
  /** Keys of the list: `['network', 'allow']` */
  path: readonly string[];
  entry: string;
}

/** Undefined: the text is not TOML, or the list cannot be extended without other changes. A list that has the entry stays as it is. */
export function addListEntry(text: string, wanted: ListEntry): string | undefined {
  const mark = text.startsWith('\uFEFF') ? '\uFEFF' : '';
  const edited = addEntry(text.slice(mark.length), wanted);
  return edited === undefined ? undefined : `${mark}${edited}`;
}

/** The result is read again: it must mean exactly the old values and the new entry. */
function addEntry(text: string, wanted: ListEntry): string | undefined {
  const meaning = attempt(() => parse(text));
  const list = meaning === undefined ? undefined : listAt(meaning, wanted.path);
  if (list === undefined) return undefined;
  if (list.includes(wanted.entry)) return text;
  list.push(wanted.entry);
  // The library puts a new key below the comments of the next table, so it comes last. Where the list exists, only it can succeed.
  return [belowHeader, asNewTable, withLibrary]
    .map((edit) => attempt(() => edit(text, wanted)))
    .find(
      (edited) =>
        edited !== undefined &&
        keepsText(text, edited) &&
        isDeepStrictEqual(
          attempt(() => parse(edited)),
          meaning,
        ),
    );
}

function belowHeader(text: string, { path, entry }: ListEntry): string | undefined {
  const table = pathOf(path.slice(0, -1));
  const header = parseTOML(text).body[0].body.find(
    (node) => node.type === 'TOMLTable' && pathOf(node.resolvedKey) === table,
  );
  if (header === undefined) return undefined;
  const [, end] = header.key.range;
  const rest = text.indexOf('\n', end) + 1 || text.length;
  const above = text.slice(0, rest);
  return `${above}${above.endsWith('\n') ? '' : eolOf(text)}${lineOf(text, path, entry)}${text.slice(rest)}`;
}

function asNewTable(text: string, { path, entry }: ListEntry): string {
  const eol = eolOf(text);
  const gap = text === '' ? '' : text.endsWith('\n') ? eol : `${eol}${eol}`;
  return `${text}${gap}[${pathOf(path.slice(0, -1))}]${eol}${lineOf(text, path, entry)}`;
}

function withLibrary(text: string, { path, entry }: ListEntry): string | undefined {
  // It would make the line ends of a mixed text equal.
  if (text.includes('\r\n') && /(^|[^\r])\n/.test(text)) return undefined;
  const table = parseForPatch(text) as Table;
  listAt(table, path)?.push(entry);
  return patch(text, table, { bracketSpacing: false });
}

function lineOf(text: string, path: readonly string[], entry: string): string {
  return `${pathOf(path.slice(-1))} = [${JSON.stringify(entry)}]${eolOf(text)}`;
}

function eolOf(text: string): string {
  return text.includes('\r\n') ? '\r\n' : '\n';
}

type Table = Record<string, unknown>;

/** As plain data, without the parser's own marks on its tables and lists. The second parser is strict about tables that are defined twice. */
function parse(text: string): Table {
  parseTOML(text);
  return structuredClone(parseText(text)) as Table;
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

/** The list at the path, created where it is missing; undefined: another kind of value is in its place. */
function listAt(root: Table, path: readonly string[]): unknown[] | undefined {
  let node = root;
  for (const key of path.slice(0, -1)) {
    node[key] ??= {};
    const next = node[key];
    if (typeof next !== 'object' || next === null || Array.isArray(next)) return undefined;
    node = next as Table;
  }
  const key = path.at(-1) ?? '';
  node[key] ??= [];
  const list = node[key];
  return Array.isArray(list) ? list : undefined;
}

/** The old characters are all there, in one piece or two; only spaces, line ends and commas may differ. */
function keepsText(before: string, after: string): boolean {
  const [old, edited] = [before, after].map((text) => text.replaceAll(/[\s,]/g, '')) as [string, string];
  let start = 0;
  while (start < old.length && old[start] === edited[start]) start += 1;
  return edited.endsWith(old.slice(start));
}
