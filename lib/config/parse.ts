/** One TOML text → checked values with their places. Every mistake has a file, a line, a column and a way out. */
import toml from '@iarna/toml';
import type { z } from 'zod';
import { type Place, SbxError } from '../errors.ts';
import { annotate, type Table } from './annotated.ts';
import { nearest } from './nearest.ts';
import { findPositions, type Positions, pathOf } from './positions.ts';
import { fileSchema } from './schema.ts';

export const FILE_MAX = 1024 * 1024;
const DEPTH_MAX = 32;

/** @throws SbxError `config-syntax` or `config-invalid`, with the place. */
export function parseFile(bytes: Buffer, file: string): Table {
  const text = decode(bytes, file);
  const raw = parseToml(text, file);
  const positions = findPositions(text);
  const value = simplify(raw, file, positions, []);
  const checked = fileSchema.safeParse(value);
  if (!checked.success) throw invalid(checked.error.issues, value, file, positions);
  return annotate(value, file, positions) as Table;
}

function decode(bytes: Buffer, file: string): string {
  const at = { file, line: 1, column: 1 };
  if (bytes.length > FILE_MAX)
    throw new SbxError('config-invalid', 'the file is too large', {
      place: at,
      why: `it has ${bytes.length} bytes, at most ${FILE_MAX} are read`,
      hint: 'move long lists into templates (extends)',
    });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new SbxError('config-syntax', 'the file is not UTF-8 text', { place: at, hint: 'save it as UTF-8', cause });
  }
}

function parseToml(text: string, file: string): unknown {
  const deep = tooDeep(text);
  if (deep !== undefined)
    throw new SbxError('config-syntax', 'the file is nested too deeply', {
      place: { file, ...deep },
      why: `more than ${DEPTH_MAX} levels of brackets`,
      hint: 'no field of sandbox.toml needs that',
    });
  try {
    return toml.parse(text);
  } catch (error) {
    const { line, col } = error as { line?: number; col?: number };
    const message = error instanceof Error ? (error.message.split(' at row ')[0] ?? error.message) : String(error);
    throw new SbxError('config-syntax', `not valid TOML: ${message.split('\n')[0]}`, {
      place: { file, line: (line ?? 0) + 1, column: Math.max(col ?? 0, 0) + 1 },
      hint: 'see the line above; strings need quotes, tables stand in [brackets]',
      cause: error,
    });
  }
}

/** A parser that recurses must not meet a thousand brackets. Strings are not looked into: a bracket in one only makes this stricter. */
function tooDeep(text: string): { line: number; column: number } | undefined {
  let depth = 0;
  let line = 1;
  let start = 0;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === '\n') {
      line += 1;
      start = at + 1;
    } else if (char === '[' || char === '{') depth += 1;
    else if (char === ']' || char === '}') depth = Math.max(0, depth - 1);
    if (depth > DEPTH_MAX) return { line, column: at - start + 1 };
  }
  return undefined;
}

/** Plain objects without big numbers, dates or prototypes of others: what JSON could hold. */
function simplify(value: unknown, file: string, positions: Positions, keys: (string | number)[]): unknown {
  const place = () => placeOf(file, positions, keys);
  if (keys.length > DEPTH_MAX)
    throw new SbxError('config-invalid', 'the file is nested too deeply', {
      place: place(),
      hint: 'no field of sandbox.toml needs that',
    });
  if (typeof value === 'bigint')
    throw new SbxError('config-invalid', `${pathOf(keys)}: the number is too large`, {
      place: place(),
      why: 'whole numbers up to 9007199254740991 are read',
      hint: 'write sizes as text, such as "2GiB"',
    });
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new SbxError('config-invalid', `${pathOf(keys)}: not a number`, {
      place: place(),
      hint: 'write a plain number',
    });
  if (value instanceof Date)
    throw new SbxError('config-invalid', `${pathOf(keys)}: a date is not allowed here`, {
      place: place(),
      why: 'no field of sandbox.toml is a date',
      hint: 'put it in quotes if it is text',
    });
  if (Array.isArray(value)) return value.map((item, index) => simplify(item, file, positions, [...keys, index]));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => {
    if (key === '__proto__' || key === '$import')
      throw new SbxError('config-invalid', `unknown key "${key}"`, {
        place: placeOf(file, positions, [...keys, key]),
        hint: 'remove it; templates are named by "extends"',
      });
    return [key, simplify(item, file, positions, [...keys, key])] as const;
  });
  return Object.fromEntries(entries);
}

function placeOf(file: string, positions: Positions, keys: readonly PropertyKey[]): Place {
  for (let length = keys.length; length > 0; length -= 1) {
    const position = positions.get(pathOf(keys.slice(0, length)));
    if (position !== undefined) return { file, ...position };
  }
  return { file, line: 1, column: 1 };
}

type Issue = z.core.$ZodIssue;

function invalid(issues: Issue[], value: unknown, file: string, positions: Positions): SbxError {
  const first = deepest(issues[0] as Issue);
  const path = pathOf(first.path);
  if (first.code === 'unrecognized_keys') {
    const key = first.keys[0] ?? '';
    const place = placeOf(file, positions, [...first.path, key]);
    const known = keysAt(first.path);
    const guess = nearest(key, known);
    return new SbxError('config-invalid', `unknown key "${path === '' ? key : `${path}.${key}`}"`, {
      place,
      hint: guess === undefined ? `known here: ${known.join(', ') || 'none'}` : `did you mean "${guess}"?`,
    });
  }
  const got = show(
    first.path.reduce<unknown>((node, key) => (node as Record<PropertyKey, unknown> | undefined)?.[key], value),
  );
  return new SbxError('config-invalid', `${path === '' ? 'the file' : path}: ${wordsOf(first)}`, {
    place: placeOf(file, positions, first.path),
    why: `it is ${got}`,
    hint: 'see docs/reference.md for what is allowed here',
  });
}

/** Of a union's branches, the one that got furthest. */
function deepest(issue: Issue): Issue {
  if (issue.code !== 'invalid_union') return issue;
  const inner = issue.errors
    .flat()
    .toSorted(
      (a, b) =>
        b.path.length - a.path.length ||
        Number(b.code === 'unrecognized_keys') - Number(a.code === 'unrecognized_keys'),
    )[0];
  return inner === undefined || (inner.path.length === 0 && inner.code === 'invalid_type')
    ? { ...issue, message: 'must be a name or a table' }
    : deepest({ ...inner, path: [...issue.path, ...inner.path] });
}

function wordsOf(issue: Issue): string {
  if (issue.code === 'invalid_type') return `must be ${article(issue.expected)}`;
  if (issue.code === 'invalid_value')
    return `must be one of ${issue.values.map((one) => JSON.stringify(one)).join(', ')}`;
  return issue.message
    .replace(/^Too (big|small): expected \w+ to (be|have) /, 'must $2 ')
    .replace(/^Invalid /, 'invalid ');
}

function article(type: string): string {
  const names: Record<string, string> = {
    string: 'text in quotes',
    number: 'a number',
    int: 'a whole number',
    boolean: 'true or false',
    array: 'a list',
    object: 'a table',
    record: 'a table',
  };
  return names[type] ?? type;
}

function show(value: unknown): string {
  const text = JSON.stringify(value);
  return text === undefined ? 'not there' : text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/** The keys that the schema knows at a path. */
function keysAt(path: readonly PropertyKey[]): string[] {
  let node: unknown = fileSchema;
  for (const key of path) node = step(node, key);
  return shapesOf(node).flatMap((shape) => Object.keys(shape));
}

interface SchemaDef {
  type: string;
  innerType?: unknown;
  options?: unknown[];
  element?: unknown;
  valueType?: unknown;
  shape?: Record<string, unknown>;
}

function unwrap(node: unknown): SchemaDef | undefined {
  const def = (node as { def?: SchemaDef } | undefined)?.def;
  return def?.innerType === undefined ? def : unwrap(def.innerType);
}

function step(node: unknown, key: PropertyKey): unknown {
  const def = unwrap(node);
  if (def?.type === 'union')
    return def.options?.map((option) => step(option, key)).find((found) => found !== undefined);
  if (def?.type === 'array') return def.element;
  if (def?.type === 'record') return def.valueType;
  return def?.shape?.[String(key)];
}

function shapesOf(node: unknown): Record<string, unknown>[] {
  const def = unwrap(node);
  if (def?.type === 'union') return (def.options ?? []).flatMap(shapesOf);
  return def?.shape === undefined ? [] : [def.shape];
}
