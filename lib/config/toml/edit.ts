/**
 * Adds an entry to a list of a TOML text and leaves every other character as it was: comments, order, quotes, line ends. Pure.
 * However the text is written: the result is read again and must mean exactly the old values and the new entry; else it is refused.
 */
import { isDeepStrictEqual } from 'node:util';
import { pathOf } from '../../spec/path-of.ts';
import { insertIntoArray } from './edit-array.ts';
import { insertNewList } from './edit-table.ts';
import { parseText } from './read-toml.ts';
import { Scanner } from './scanner.ts';

export interface ListEntry {
  /** Keys of the list: `['network', 'allow']` */
  path: readonly string[];
  entry: string;
}

const DEPTH_MAX = 64;

/** Undefined: the text is no TOML, or written in a way that cannot be extended. A list that has the entry stays as it is. */
export function addListEntry(text: string, wanted: ListEntry): string | undefined {
  if (!text.startsWith(BYTE_ORDER_MARK)) return addEntry(text, wanted);
  const edited = addEntry(text.slice(BYTE_ORDER_MARK.length), wanted);
  return edited === undefined ? undefined : `${BYTE_ORDER_MARK}${edited}`;
}

const BYTE_ORDER_MARK = '\uFEFF';

function addEntry(text: string, { path, entry }: ListEntry): string | undefined {
  const before = parse(text);
  if (before === undefined) return undefined;
  const wanted = withEntry(before, path, entry);
  if (wanted === 'there') return text;
  if (wanted === undefined) return undefined;
  const scanner = new Scanner(text, DEPTH_MAX);
  scanner.run();
  const scanned = { text, scanner, eol: text.includes('\r\n') ? '\r\n' : '\n' };
  const { at, text: added } = scanner.entries.has(pathOf(path))
    ? insertIntoArray(scanned, pathOf(path), entry)
    : insertNewList(scanned, path, entry);
  const edited = text.slice(0, at) + added + text.slice(at);
  return isDeepStrictEqual(parse(edited), wanted) ? edited : undefined;
}

/** As plain data, without the parser's own marks on its tables and lists. */
function parse(text: string): Table | undefined {
  try {
    return structuredClone(parseText(text)) as Table;
  } catch {
    return undefined;
  }
}

type Table = Record<string, unknown>;

/** What the text must mean afterwards; undefined: something else stands where the list should. */
function withEntry(before: Table, path: readonly string[], entry: string): Table | 'there' | undefined {
  const after = structuredClone(before);
  let node = after;
  for (const key of path.slice(0, -1)) {
    node[key] ??= {};
    const next = node[key];
    if (typeof next !== 'object' || next === null || Array.isArray(next)) return undefined;
    node = next as Table;
  }
  const key = path.at(-1) ?? '';
  node[key] ??= [];
  const list = node[key];
  if (!Array.isArray(list)) return undefined;
  if (list.includes(entry)) return 'there';
  list.push(entry);
  return after;
}
