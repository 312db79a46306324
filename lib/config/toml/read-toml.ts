/** Bytes → the plain values of a TOML file and their places. Every mistake of syntax has a line, a column and a way out. */
import toml from '@iarna/toml';
import { type ErrorDetails, type Place, SbxError } from '../../errors.ts';
import { pathOf } from '../../spec/path-of.ts';
import { findPositions, linesOf, type Positions } from './positions.ts';

/** Largest file that is read */
export const FILE_MAX = 1024 * 1024;
/** Keys and array indexes on the way to a value; the schema needs six */
const DEPTH_MAX = 32;

export interface TomlFile {
  /** Text, numbers, truth values, arrays and tables: what JSON could hold */
  value: Record<string, unknown>;
  positions: Positions;
}

/** @throws SbxError `config-syntax`; `config-invalid` for what TOML allows and sbx cannot mean. */
export function readToml(bytes: Buffer, file: string): TomlFile {
  const text = decode(bytes, file);
  const parsed = parse(text, file);
  const positions = findPositions(text, { file, maxDepth: DEPTH_MAX });
  if (positions.tooDeep !== undefined)
    throw problem(positions.tooDeep, 'the file is nested too deeply', {
      why: `a value stands below more than ${DEPTH_MAX} keys`,
      hint: 'no field of sandbox.toml needs that: remove some levels',
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
      why: 'a byte here belongs to another encoding',
      hint: 'save the file as UTF-8',
      cause,
    });
  }
}

/** @throws SbxError `config-invalid`: a file of that many bytes is not read. */
export function checkSize(bytes: number, place: Place): void {
  if (bytes > FILE_MAX)
    throw problem(place, 'the file is too large', {
      why: `it has ${bytes} bytes, at most ${FILE_MAX} are read`,
      hint: 'shorten it, or move parts of it into templates (extends)',
    });
}

function firstBadByte(bytes: Buffer): { line: number; column: number } {
  const lenient = bytes.toString('utf8');
  for (let at = lenient.indexOf('\uFFFD'); at >= 0; at = lenient.indexOf('\uFFFD', at + 1)) {
    // The character itself may stand in a file; then its bytes are what it would be encoded to.
    const offset = Buffer.byteLength(lenient.slice(0, at));
    if (!bytes.subarray(offset, offset + 3).equals(Buffer.from('\uFFFD'))) return linesOf(lenient)(at);
  }
  return { line: 1, column: 1 };
}

function parse(text: string, file: string): unknown {
  try {
    return parseText(text);
  } catch (error) {
    const message = (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
    throw new SbxError('config-syntax', `not valid TOML: ${wordsOf(message)}`, {
      place: placeOf(error, text, file),
      hint: hintFor(message),
      cause: error,
    });
  }
}

/** @throws the parser's own error. It takes no CRLF behind a comment, so lines end as it likes them: nothing else moves. */
export function parseText(text: string): unknown {
  return toml.parse(text.replaceAll('\r\n', '\n'));
}

/** The parser counts from 0, but columns of the first line from 1, and beyond the end when something is missing there. */
function placeOf(error: unknown, text: string, file: string): Place {
  const { line, col, message } = error as { line?: number; col?: number; message: string };
  // A wrong date comes without a place.
  if (line === undefined || col === undefined) return wrongDate(text, file);
  const lines = text.split('\n');
  const index = Math.min(line, lines.length - 1);
  const content = (lines[index] ?? '').trimEnd();
  const end = content.length + 1;
  // Seen only at the end of the value.
  if (message.includes('redefine')) return { file, line: index + 1, column: content.search(/[^\s[]/) + 1 || 1 };
  return { file, line: index + 1, column: Math.min(Math.max(line === 0 ? col : col + 1, 1), end) };
}

function wrongDate(text: string, file: string): Place {
  const dates = findPositions(text, { file, maxDepth: DEPTH_MAX }).bare.filter((one) => /^\d+[-:]/.test(one.text));
  const wrong = dates.find((one) => !canParse(`a = ${one.text}`));
  return wrong?.place ?? { file, line: 1, column: 1 };
}

function canParse(text: string): boolean {
  try {
    parseText(text);
    return true;
  } catch {
    return false;
  }
}

/** The parser's sentence without its place and its jargon. */
function wordsOf(message: string): string {
  const words = (message.split(' at row ')[0] ?? message)
    .replace(/^Unknown character "(\d+)"$/, (_, code) => `unexpected character ${show(Number(code))}`)
    .replace(/^Unknown escape character: (\d+)$/, (_, code) => `unknown escape \\${show(Number(code))}`)
    .replace('inline array', 'list or inline table')
    .replace("Can't redefine", 'this would define again an')
    .replace(' an an ', ' an ');
  return `${words.slice(0, 1).toLowerCase()}${words.slice(1)}`;
}

function show(code: number): string {
  // The parser's own sign for it
  if (code > 0x10ffff) return ' and the end of the file';
  const hex = code.toString(16).toUpperCase().padStart(4, '0');
  return code > 0x20 && code < 0x7f ? String.fromCodePoint(code) : `U+${hex}`;
}

const HINTS: [RegExp, string][] = [
  [/redefine|extend an inline/, 'give each key and each [table] once; lists of tables stand in [[double brackets]]'],
  [/Unterminated string|multi-line/, 'close the string with the same quotes that opened it'],
  [/Unterminated inline/, 'close the list with ] and the inline table with }'],
  [/escape|unicode/, "write \\\\ for a backslash, or use 'single quotes', where it stands for itself"],
  [/Control characters/, 'remove the character, or write it as \\u and four digits in a "quoted" string'],
  [/Datetime|date/, 'no field of sandbox.toml is a date: put text in quotes, and write numbers without leading zeros'],
  [/Trailing commas/, 'remove the comma before }'],
  [/whitespace or comments till end of line/, 'begin a new line after each value'],
  [/comma|close bracket/, 'separate the entries of a list by commas, and close it with ]'],
  [/boolean/, 'write true or false; put text in quotes'],
  [/without value|ended|expected "="/, 'write key = value, and put text in quotes'],
  [/[Nn]umber|digit/, 'write a plain number such as 2; put text such as "2GiB" in quotes'],
  [/expecting string/, 'put text in quotes: key = "text"'],
];

function hintFor(message: string): string {
  const found = HINTS.find(([pattern]) => pattern.test(message));
  return found?.[1] ?? 'write key = value, with text in quotes, and tables in [brackets]';
}

/** Without big numbers, dates, and keys that name parts of a JavaScript object. */
function simplify(value: unknown, positions: Positions, keys: (string | number)[]): unknown {
  const refuse = (what: string, hint: string) => problem(positions.valueAt(keys), `${pathOf(keys)}: ${what}`, { hint });
  if (typeof value === 'bigint')
    return raise(refuse('the number is too large', 'write at most 9007199254740991; write sizes as text: "2GiB"'));
  if (typeof value === 'number' && !Number.isFinite(value))
    return raise(refuse('not a number', 'write a plain number such as 2'));
  if (value instanceof Date)
    return raise(refuse('a date or time is never right here', 'put it in quotes if it is text'));
  if (Array.isArray(value)) return value.map((item, index) => simplify(item, positions, [...keys, index]));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      if (key in Object.prototype)
        throw problem(positions.keyAt([...keys, key]), `unknown key "${pathOf([...keys, key])}"`, {
          why: 'the word is reserved',
          hint: 'remove it, or choose another name',
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
