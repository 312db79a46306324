/** Formats suggested allow entries. Hosts and paths come from the sandbox and cannot control the terminal. Pure. */
import { authorityOf } from '../../gateway/address/canonical-host.ts';
import type { Suggestion, Suggestions } from '../../gateway/policy/suggest.ts';
import { inOneLine } from './printable.ts';

const COVERS_MAX = 5;

export function suggestionText(sandbox: string, { suggestions, withheld }: Suggestions): string {
  const head =
    suggestions.length === 0
      ? [`nothing to suggest for ${sandbox}: [network] allows every public host that was denied`]
      : [`for [network] allow of ${sandbox}:`, ...table(suggestions.map(rowOf))];
  const tail =
    withheld.length === 0
      ? []
      : [
          'not suggested:',
          ...table(
            withheld.map((one) => [authorityOf(one), timesOf(one.count), one.last, `${one.reason}: ${one.why}`]),
          ),
        ];
  return [...head, ...tail].join('\n');
}

function rowOf({ entry, kind, covers, count, last, requests }: Suggestion): string[] {
  const more = covers.length > COVERS_MAX ? [`and ${covers.length - COVERS_MAX} more`] : [];
  const members = kind === 'wildcard' || kind === 'preset' ? [...covers.slice(0, COVERS_MAX), ...more] : [];
  return [JSON.stringify(entry), timesOf(count), last, [...members, ...requests].join(', ')];
}

function timesOf(count: number): string {
  return `${count} ×`;
}

function table(rows: string[][]): string[] {
  const clean = rows.map((row) => row.map(inOneLine));
  const widths = (clean[0] ?? []).map((_, column) => Math.max(...clean.map((row) => row[column]?.length ?? 0)));
  return clean.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd());
}
