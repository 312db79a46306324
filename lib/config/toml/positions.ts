/** Where each key and value of a TOML text stands. The parser has accepted the text already: this only finds places. */
import type { Place } from '../../errors.ts';
import { pathOf } from '../../spec/path-of.ts';
import { Scanner } from './scanner.ts';

export interface Positions {
  /** The place of a key, or of an array's element; of the nearest parent that has one, else the beginning of the file */
  keyAt(keys: readonly PropertyKey[]): Place;
  /** The place of its value */
  valueAt(keys: readonly PropertyKey[]): Place;
  /** The first place deeper than asked for; nothing after it was looked at */
  tooDeep: Place | undefined;
  /** Numbers, dates and words: what stands without quotes */
  bare: { text: string; place: Place }[];
}

export interface ScanOptions {
  /** Put into every place */
  file: string;
  /** Keys and array indexes on the way to a value */
  maxDepth: number;
}

/** Never throws, never recurses deeper than `maxDepth`, and takes time in proportion to the text. */
export function findPositions(text: string, options: ScanOptions): Positions {
  const scanner = new Scanner(text, options.maxDepth);
  scanner.run();
  const placeAt = linesOf(text);
  const place = (offset: number): Place => ({ file: options.file, ...placeAt(offset) });
  const find = (keys: readonly PropertyKey[], part: 'key' | 'value'): Place => {
    for (let length = keys.length; length > 0; length -= 1) {
      const entry = scanner.entries.get(pathOf(keys.slice(0, length)));
      if (entry !== undefined) return place(length === keys.length ? entry[part] : entry.key);
    }
    return place(0);
  };
  return {
    keyAt: (keys) => find(keys, 'key'),
    valueAt: (keys) => find(keys, 'value'),
    tooDeep: scanner.tooDeep === undefined ? undefined : place(scanner.tooDeep),
    bare: scanner.bare.map(([from, to]) => ({ text: text.slice(from, to).trimEnd(), place: place(from) })),
  };
}

/** Offset → line and column, both from 1. */
export function linesOf(text: string): (offset: number) => { line: number; column: number } {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    for (let high = starts.length - 1; low < high; ) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  };
}
