/** Reads tables of the docs, which the manual pages show, too. */

/** Cells with the markup of the docs */
export type TableRow = readonly [first: string, ...more: string[]];

/**
 * The rows of the first table below a heading, without its head.
 * @throws Error when there is none.
 */
export function tableBelow(page: string, heading: string): TableRow[] {
  const start = page.indexOf(`\n${heading}\n`);
  const [, rows = ''] = /\n\|[^\n]*\n\|[-|]+\n((?:\|[^\n]*\n)+)/.exec(page.slice(start)) ?? [];
  if (start < 0 || rows === '') throw new Error(`no table below "${heading}"`);
  return rows
    .trimEnd()
    .split('\n')
    .map(
      (line) =>
        line
          .slice(1, -1)
          .split('|')
          .map((cell) => cell.trim()) as unknown as TableRow,
    );
}
