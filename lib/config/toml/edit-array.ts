/** Where a new last element of an array goes, so that the array keeps its shape. Pure. */
import type { Insertion, Scanned } from './edit-text.ts';

export function insertIntoArray(scanned: Scanned, path: string, entry: string): Insertion {
  const { text, scanner } = scanned;
  const last = lastElement(scanned, path);
  if (last === undefined) return insertFirst(scanned, path, entry);
  const element = quoted(entry, text[last.start]);
  const inline = { at: last.end, text: `, ${element}` };
  // Only the comma and a comment of its own may stand between the element and the end of its line.
  const rest = /^[ \t]*(,?)[ \t]*(#[^\r\n]*)?\r?\n/.exec(text.slice(last.end));
  const open = scanner.entries.get(path)?.value ?? 0;
  if (rest === null || lineStart(text, last.start) <= open) return inline;
  const indent = indentAt(text, last.start);
  const [line, comma] = rest;
  if (comma === ',') return { at: last.end + line.length, text: `${indent}${element},${scanned.eol}` };
  // Without a comma behind it the element needs one; what follows it on its line then stays with the new one.
  return { at: last.end, text: `,${scanned.eol}${indent}${element}` };
}

function lastElement({ scanner }: Scanned, path: string): { start: number; end: number } | undefined {
  let found: { start: number; end: number } | undefined;
  for (let index = 0; ; index += 1) {
    const entry = scanner.entries.get(`${path}[${index}]`);
    if (entry?.end === undefined) return found;
    found = { start: entry.value, end: entry.end };
  }
}

/** An empty array: on one line, or with a comment and line feeds inside. */
function insertFirst({ text, scanner, eol }: Scanned, path: string, entry: string): Insertion {
  const { key = 0, value: open = 0, end = 0 } = scanner.entries.get(path) ?? {};
  const element = quoted(entry, '"');
  const close = end - 1;
  if (!text.slice(open, end).includes('\n')) return { at: open + 1, text: element };
  const start = lineStart(text, close);
  const comment = /^[ \t]*(?=#)/m.exec(text.slice(open + 1, close))?.[0];
  const indent = comment ?? `${indentAt(text, key)}  `;
  return { at: start, text: `${indent}${element},${eol}` };
}

/** As the neighbours are quoted. */
export function quoted(entry: string, quote: string | undefined): string {
  return quote === "'" && !/['\p{Cc}]/u.test(entry) ? `'${entry}'` : JSON.stringify(entry);
}

export function lineStart(text: string, at: number): number {
  return text.lastIndexOf('\n', at - 1) + 1;
}

export function indentAt(text: string, at: number): string {
  return /^[ \t]*/.exec(text.slice(lineStart(text, at)))?.[0] ?? '';
}
