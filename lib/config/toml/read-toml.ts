/** Reads the bytes of a TOML file into plain values and their places. Every syntax error has a line, a column and a hint. */
import toml from '@iarna/toml';
import { ParseError, parseTOML } from 'toml-eslint-parser';
import { type ErrorDetails, type Place, SbxError } from '../../errors.ts';
import { pathOf } from '../../spec/path-of.ts';
import { findPositions, type Positions } from './positions.ts';
import { redefinitionAt } from './redefined.ts';

/** Largest file that is read, in bytes */
const FILE_MAX = 1024 * 1024;
/** Keys and array indexes on the way to a value; the schema needs six */
const DEPTH_MAX = 32;

export interface TomlFile {
  /** Text, numbers, booleans, arrays and tables: only JSON values */
  value: Record<string, unknown>;
  positions: Positions;
}

/** @throws SbxError `config-syntax`; `config-invalid` for valid TOML that no field of sandbox.toml can hold. */
export function readToml(bytes: Buffer, file: string): TomlFile {
  const text = decode(bytes, file);
  const { parsed, positions } = parse(text, file);
  if (positions.tooDeep !== undefined)
    throw problem(positions.tooDeep, 'the file is nested too deeply', {
      why: `a value is more than ${DEPTH_MAX} levels deep`,
      hint: 'remove some levels: no field of sandbox.toml needs them',
    });
  return { value: simplify(parsed, positions, []) as Record<string, unknown>, positions };
}

function decode(bytes: Buffer, file: string): string {
  checkSize(bytes.length, { file, line: 1, column: 1 });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new SbxError('config-syntax', 'the file is not UTF-8 text', {
      place: { file, ...firstBadByte(bytes) },
      why: 'this byte is not valid UTF-8',
      hint: 'save the file as UTF-8',
      cause,
    });
  }
}

/** @throws SbxError `config-invalid` for more than `FILE_MAX` bytes. */
export function checkSize(bytes: number, place: Place): void {
  if (bytes > FILE_MAX)
    throw problem(place, 'the file is too large', {
      why: `it has ${bytes} bytes, the limit is ${FILE_MAX}`,
      hint: 'shorten it, or move parts of it into templates (`extends`)',
    });
}

function firstBadByte(bytes: Buffer): { line: number; column: number } {
  const lenient = bytes.toString('utf8');
  for (let at = lenient.indexOf('\uFFFD'); at >= 0; at = lenient.indexOf('\uFFFD', at + 1)) {
    // A file may contain the character itself; its bytes are then its own encoding.
    const offset = Buffer.byteLength(lenient.slice(0, at));
    if (!bytes.subarray(offset, offset + 3).equals(Buffer.from('\uFFFD'))) {
      const lines = lenient.slice(0, at).split('\n');
      return { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
    }
  }
  return { line: 1, column: 1 };
}

function parse(text: string, file: string): { parsed: unknown; positions: Positions } {
  try {
    return { parsed: parseText(text), positions: findPositions(text, { file, maxDepth: DEPTH_MAX }) };
  } catch (error) {
    const message = (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
    const place = { file, ...placeOf(error, text) };
    const again = REDEFINED.test(message) ? redefinitionAt(text, place.line) : undefined;
    const words = again === undefined ? wordsOf(message) : `cannot redefine the key "${again.path}"`;
    throw new SbxError('config-syntax', `not valid TOML: ${words}`, {
      hint: hintFor(message),
      ...(again !== undefined && { why: again.why, hint: again.hint }),
      place,
      cause: error,
    });
  }
}

/** @throws the parser's own error. It rejects CRLF behind a comment, so all lines end in LF: no line or column changes. */
export function parseText(text: string): unknown {
  return toml.parse(text.replaceAll('\r\n', '\n'));
}

/** The place of the second parser, which is exact, unless the first one stopped on an earlier line: then the end of that line. */
function placeOf(error: unknown, text: string): { line: number; column: number } {
  const found = error instanceof ParseError ? error : parseErrorOf(text);
  const index = (error as { line?: number }).line;
  const lines = text.split('\n');
  if (index !== undefined && (found === undefined || found.lineNumber > index + 1)) {
    const line = Math.min(index + 1, lines.length);
    return { line, column: (lines[line - 1] ?? '').trimEnd().length + 1 };
  }
  if (found === undefined) return { line: 1, column: 1 };
  const { lineNumber: line, column } = found;
  // A wrong date has the place of its end.
  const date = /invalid (date|time)/.test(found.message)
    ? /[-\d:.TZtz+ ]*$/.exec((lines[line - 1] ?? '').slice(0, column))
    : null;
  return { line, column: column + 1 - (date?.[0].trimStart().length ?? 0) };
}

function parseErrorOf(text: string): ParseError | undefined {
  try {
    parseTOML(text, { tomlVersion: '1.0' });
  } catch (error) {
    if (error instanceof ParseError) return error;
  }
  return undefined;
}

/** The parser's message in the words of TOML, without its place. */
function wordsOf(message: string): string {
  const words = (message.split(' at row ')[0] ?? message)
    .replace(/^Unknown character "(\d+)"$/, (_, code) => `unexpected character ${show(Number(code))}`)
    .replace(/^Unknown escape character: (\d+)$/, (_, code) => `unknown escape \\${show(Number(code))}`)
    .replace('inline array', 'list or inline table')
    .replace("Can't redefine", 'cannot redefine an')
    .replace('Unexpected invalid', 'invalid')
    .replace(' an an ', ' an ');
  return `${words.slice(0, 1).toLowerCase()}${words.slice(1)}`;
}

function show(code: number): string {
  // The parser's code for the end of the file
  if (code > 0x10ffff) return ' and the end of the file';
  const hex = code.toString(16).toUpperCase().padStart(4, '0');
  return code > 0x20 && code < 0x7f ? String.fromCodePoint(code) : `U+${hex}`;
}

const REDEFINED = /redefine|extend an inline|multiple times/;

const HINTS: [RegExp, string][] = [
  [REDEFINED, 'define each key and each [table] once; write lists of tables in [[double brackets]]'],
  [/Unterminated string|multi-line/, 'close the string with the same quotes that opened it'],
  [/Unterminated inline/, 'close the list with ] and the inline table with }'],
  [/escape|unicode/, "write \\\\ for a backslash, or use 'single quotes', where it needs no escape"],
  [/Control characters/, 'remove the character, or write it as \\u and four digits in a "quoted" string'],
  [/Datetime|date/, 'no field of sandbox.toml is a date: put text in quotes, and write numbers without leading zeros'],
  [/Trailing commas/, 'remove the comma before }'],
  [/whitespace or comments till end of line/, 'begin a new line after each value'],
  [/comma|close bracket/, 'separate the entries of a list with commas, and close it with ]'],
  [/boolean/, 'write true or false; put text in quotes'],
  [/without value|ended|expected "="/, 'write key = value, and put text in quotes'],
  [/[Nn]umber|digit/, 'write a plain number such as 2, and put text such as "2GiB" in quotes'],
  [/expecting string/, 'put text in quotes: key = "text"'],
];

function hintFor(message: string): string {
  const found = HINTS.find(([pattern]) => pattern.test(message));
  return found?.[1] ?? 'write key = value, with text in quotes, and tables in [brackets]';
}

/** Rejects big numbers, dates, and keys that are properties of every JavaScript object. */
function simplify(value: unknown, positions: Positions, keys: (string | number)[]): unknown {
  const refuse = (what: string, hint: string) => problem(positions.valueAt(keys), `${pathOf(keys)}: ${what}`, { hint });
  if (typeof value === 'bigint')
    return raise(refuse('the number is too large', 'write at most 9007199254740991; write sizes as text: "2GiB"'));
  if (typeof value === 'number' && !Number.isFinite(value))
    return raise(refuse('not a number', 'write a plain number such as 2'));
  if (value instanceof Date)
    return raise(refuse('dates and times are not supported', 'put it in quotes to use it as text'));
  if (Array.isArray(value)) return value.map((item, index) => simplify(item, positions, [...keys, index]));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      if (key in Object.prototype)
        throw problem(positions.keyAt([...keys, key]), `unknown key "${pathOf([...keys, key])}"`, {
          why: 'the name is reserved',
          hint: 'remove it, or use another name',
        });
      return [key, simplify(item, positions, [...keys, key])];
    }),
  );
}

function raise(error: SbxError): never {
  throw error;
}

function problem(place: Place, message: string, details: ErrorDetails): SbxError {
  return new SbxError('config-invalid', message, { ...details, place });
}
