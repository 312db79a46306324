/** Where a list goes that is not there yet: into its table as that is written, else into a table of its own. Pure. */

import { pathOf } from '../../spec/path-of.ts';
import { indentAt, lineStart, quoted } from './edit-array.ts';
import type { Insertion, Scanned } from './edit-text.ts';

export function insertNewList(scanned: Scanned, path: readonly string[], entry: string): Insertion {
  const value = `[${quoted(entry, '"')}]`;
  // From the list's own table upwards to the file itself.
  for (let depth = path.length - 1; depth > 0; depth -= 1) {
    const found = insertInto(scanned, { table: path.slice(0, depth), rest: path.slice(depth), value });
    if (found !== undefined) return found;
  }
  return appendTable(scanned, path, value);
}

interface Wanted {
  /** Keys of a table on the way to the list */
  table: readonly string[];
  /** From there on */
  rest: readonly string[];
  value: string;
}

function insertInto(scanned: Scanned, wanted: Wanted): Insertion | undefined {
  const { text, scanner } = scanned;
  const name = pathOf(wanted.table);
  const header = scanner.headers.find(({ path, isArray }) => path === name && !isArray);
  if (header !== undefined) return belowHeader(scanned, header.end, wanted);
  const entry = scanner.entries.get(name);
  if (entry === undefined) return undefined;
  if (text[entry.value] === '{') return insideBraces(scanned, entry.value, wanted);
  // A header further down made it: `[[network.http]]` makes `network`. A table may be opened by itself as well.
  if (scanner.headers.some(({ path }) => path.startsWith(`${name}.`))) return undefined;
  return besideDotted(scanned, wanted);
}

function belowHeader({ text, scanner, eol }: Scanned, end: number, { table, rest, value }: Wanted): Insertion {
  if (rest.length > 1) {
    const next = scanner.headers.find(({ start }) => start >= end)?.start ?? text.length;
    return newTable({ text, eol, at: beforeComments(text, next), path: [...table, ...rest], value });
  }
  const lineEnd = text.indexOf('\n', end);
  const indent = indentAt(text, end);
  const line = `${indent}${pathOf(rest)} = ${value}`;
  return lineEnd < 0 ? { at: text.length, text: `${eol}${line}${eol}` } : { at: lineEnd + 1, text: `${line}${eol}` };
}

function insideBraces({ text }: Scanned, open: number, { rest, value }: Wanted): Insertion {
  const pair = `${pathOf(rest)} = ${value}`;
  const empty = /^\{([ \t]*)\}/.exec(text.slice(open));
  if (empty === null) return { at: open + 1, text: `${text[open + 1] === ' ' ? ' ' : ''}${pair},` };
  return { at: open + 1, text: empty[1] === '' ? ` ${pair} ` : ` ${pair}` };
}

/** `network.deny = []` → the same beginning on a line above. */
function besideDotted({ text, scanner, eol }: Scanned, { table, rest, value }: Wanted): Insertion | undefined {
  const name = pathOf(table);
  const child = [...scanner.entries].find(([path]) => path.startsWith(`${name}.`))?.[1];
  if (child === undefined) return undefined;
  const start = lineStart(text, child.key);
  return { at: start, text: `${text.slice(start, child.key)}${pathOf(rest)} = ${value}${eol}` };
}

function appendTable({ text, scanner, eol }: Scanned, path: readonly string[], value: string): Insertion {
  const name = pathOf(path.slice(0, -1));
  // Above the tables that belong to it.
  const below = scanner.headers.find(({ path: one }) => one.startsWith(`${name}.`));
  const at = below === undefined ? text.length : beforeComments(text, below.start);
  return newTable({ text, eol, at, path, value });
}

interface NewTable {
  text: string;
  eol: string;
  at: number;
  path: readonly string[];
  value: string;
}

/** Set apart by one empty line above, and below where something follows. */
function newTable({ text, eol, at, path, value }: NewTable): Insertion {
  const lines = `[${pathOf(path.slice(0, -1))}]${eol}${pathOf(path.slice(-1))} = ${value}${eol}`;
  const before = text.slice(0, at);
  const gap = before.trim() === '' || /\n[ \t]*\r?\n$/.test(before) ? '' : before.endsWith('\n') ? eol : `${eol}${eol}`;
  return { at, text: `${gap}${lines}${at < text.length ? eol : ''}` };
}

/** The comments right above a header belong to it. */
function beforeComments(text: string, at: number): number {
  let start = lineStart(text, at);
  while (start > 0 && /^[ \t]*#/.test(text.slice(lineStart(text, start - 1), start)))
    start = lineStart(text, start - 1);
  return start;
}
