/** Finds the place of each key and value of a TOML text. */
import { type AST, parseTOML } from 'toml-eslint-parser';
import type { Place } from '../../errors.ts';
import { pathOf } from '../../spec/path-of.ts';

export interface Positions {
  /** The place of a key, or of an array's element; of the nearest parent that has one, else the beginning of the file */
  keyAt(keys: readonly PropertyKey[]): Place;
  /** The place of its value */
  valueAt(keys: readonly PropertyKey[]): Place;
  /** The first place deeper than `maxDepth`; the rest of the text has no places */
  tooDeep: Place | undefined;
}

export interface ScanOptions {
  /** Put into every place */
  file: string;
  /** Keys and array indexes on the way to a value */
  maxDepth: number;
}

/** @throws ParseError for a text that is not TOML. Takes time in proportion to the text. */
export function findPositions(text: string, { file, maxDepth }: ScanOptions): Positions {
  const place = ({ line, column }: AST.Position): Place => ({ file, line, column: column + 1 });
  const program = parseUnlessNested(text);
  if (program === undefined) return { ...lookup(new Map(), file), tooDeep: place(bracketBelow(text, maxDepth)) };
  const entries: Entries = new Map();
  // The consumer stops the recursion: nothing below `maxDepth` is visited.
  for (const { path, key, value } of entriesOf(program)) {
    if (path.length > maxDepth) return { ...lookup(entries, file), tooDeep: place(key.loc.start) };
    const name = pathOf(path);
    // The first place counts: a table may be opened again further down.
    if (!entries.has(name)) entries.set(name, { key: place(key.loc.start), value: place(value.loc.start) });
  }
  return { ...lookup(entries, file), tooDeep: undefined };
}

type Entries = Map<string, { key: Place; value: Place }>;

function lookup(entries: Entries, file: string): Pick<Positions, 'keyAt' | 'valueAt'> {
  const find = (keys: readonly PropertyKey[], part: 'key' | 'value'): Place => {
    for (let length = keys.length; length > 0; length -= 1) {
      const entry = entries.get(pathOf(keys.slice(0, length)));
      if (entry !== undefined) return length === keys.length ? entry[part] : entry.key;
    }
    return { file, line: 1, column: 1 };
  };
  return { keyAt: (keys) => find(keys, 'key'), valueAt: (keys) => find(keys, 'value') };
}

/** The parser recurses for each bracket; undefined: it ran out of stack, some thousand brackets deep. */
function parseUnlessNested(text: string): AST.TOMLProgram | undefined {
  try {
    return parseTOML(text, { tomlVersion: '1.0' });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Position of the first bracket below `maxDepth` others; brackets in strings count too. */
function bracketBelow(text: string, maxDepth: number): AST.Position {
  let depth = 0;
  const at = [...text].findIndex((char) => {
    if (char === '[' || char === '{') depth += 1;
    if (char === ']' || char === '}') depth -= 1;
    return depth > maxDepth;
  });
  const lines = text.slice(0, at).split('\n');
  return { line: lines.length, column: lines.at(-1)?.length ?? 0 };
}

type Path = (string | number)[];

interface Entry {
  path: Path;
  key: AST.TOMLNode;
  value: AST.TOMLNode;
}

/** Every key and array element, in the order of the text. */
function* entriesOf(program: AST.TOMLProgram): Generator<Entry> {
  for (const node of program.body[0].body) {
    if (node.type === 'TOMLKeyValue') yield* entriesOfPair(node, []);
    else {
      yield* entriesOfHeader(node);
      for (const pair of node.body) yield* entriesOfPair(pair, node.resolvedKey);
    }
  }
}

/** `resolvedKey` has an index behind each key that names an array of tables. */
function* entriesOfHeader({ key: { keys }, resolvedKey }: AST.TOMLTable): Generator<Entry> {
  let next = 0;
  for (const [length, part] of resolvedKey.entries()) {
    if (typeof part === 'string') next += 1;
    const key = keys[next - 1] ?? keys[0];
    if (key !== undefined) yield { path: resolvedKey.slice(0, length + 1), key, value: key };
  }
}

function* entriesOfPair({ key: { keys }, value }: AST.TOMLKeyValue, base: Path): Generator<Entry> {
  const path = [...base];
  for (const [index, key] of keys.entries()) {
    path.push(key.type === 'TOMLBare' ? key.name : key.value);
    yield { path, key, value: index === keys.length - 1 ? value : key };
  }
  yield* entriesOfValue(value, path);
}

function* entriesOfValue(node: AST.TOMLContentNode, base: Path): Generator<Entry> {
  if (node.type === 'TOMLInlineTable') for (const pair of node.body) yield* entriesOfPair(pair, base);
  if (node.type !== 'TOMLArray') return;
  for (const [index, element] of node.elements.entries()) {
    const path = [...base, index];
    yield { path, key: element, value: element };
    yield* entriesOfValue(element, path);
  }
}
