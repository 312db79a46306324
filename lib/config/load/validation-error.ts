/** Turns schema issues into one readable error: what is wrong, where, why, and how to fix it. */
import type { z } from 'zod';
import { type Place, SbxError } from '../../errors.ts';
import { pathOf } from '../../spec/path-of.ts';
import { homesOf, isTableListAt, keysAt } from '../schema/keys.ts';
import type { Positions } from '../toml/positions.ts';
import { nearest } from './did-you-mean.ts';

type Issue = z.core.$ZodIssue;

interface Finding {
  message: string;
  why?: string;
  hint: string;
  place: Place;
}

/** Most errors reported together */
const SHOWN = 10;

/** Reports the errors of a file in their order: the first in full, up to ten in all, and the number of others. */
export function invalid(issues: Issue[], value: unknown, positions: Positions): SbxError {
  const findings = issues
    .flatMap((issue) => narrow(issue, value).flatMap((one) => findingsOf(one, value, positions)))
    .toSorted((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
  const [first, ...more] = findings;
  if (first === undefined) return new SbxError('config-invalid', 'the file is not valid');
  const left = more.length - (SHOWN - 1);
  const rest = left <= 0 ? '' : ` (and ${more.length} more errors, ${left} of which are not shown)`;
  const { message, ...details } = first;
  const others = more.slice(0, SHOWN - 1).map(({ place, message: text, hint }) => ({ ...place, message: text, hint }));
  return new SbxError('config-invalid', `${message}${rest}`, { ...details, more: others });
}

/** Picks the branch of a union that matches the kind of the value: a table is checked as the table. */
function narrow(issue: Issue, value: unknown): Issue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const got = valueAt(value, issue.path);
  const branch = issue.errors.find((errors) => errors[0] !== undefined && !isWrongKind(errors[0]));
  if (branch === undefined) return [{ ...issue, message: `must be a name or a table, not ${kindOf(got)}` }];
  return branch.flatMap((inner) => narrow({ ...inner, path: [...issue.path, ...inner.path] }, value));
}

function isWrongKind(issue: Issue): boolean {
  return issue.code === 'invalid_type' && issue.path.length === 0;
}

function findingsOf(issue: Issue, value: unknown, positions: Positions): Finding[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(issue.path, key, positions));
  const got = valueAt(value, issue.path);
  const path = issue.path.length === 0 ? 'the file' : pathOf(issue.path);
  if (got === undefined)
    return [
      {
        message: `${path} is missing`,
        hint: `add ${String(issue.path.at(-1))} = …`,
        place: positions.keyAt(issue.path.slice(0, -1)),
      },
    ];
  if (issue.code === 'invalid_key')
    return [
      {
        message: `${path}: the name ${issue.issues[0]?.message ?? 'is not valid'}`,
        hint: 'rename it',
        place: positions.keyAt(issue.path),
      },
    ];
  return [
    {
      message: `${path}: ${wordsOf(issue, got)}`,
      why: `it is ${show(got)}`,
      hint: hintOfPath(issue.path, got) ?? hintFor(issue, got),
      place: positions.valueAt(issue.path),
    },
  ];
}

function unknownKey(path: PropertyKey[], key: string, positions: Positions): Finding {
  const full = [...path, key];
  const known = keysAt(path);
  const guess = nearest(key, known);
  return {
    message: `unknown key "${pathOf(full)}"`,
    hint:
      guess !== undefined ? `did you mean "${guess}"?` : (homeOf(key) ?? `known keys: ${known.join(', ') || 'none'}`),
    place: positions.keyAt(full),
  };
}

/** Where a key belongs that was written below another [table] */
function homeOf(key: string): string | undefined {
  const homes = homesOf(key);
  if (homes.length > 0) return `"${key}" belongs in ${homes.map((home) => `[${home}]`).join(' or ')}`;
  if (key === 'agent') return 'write agent = "<name>" above the first [table], or extends = ["<name>"] beside [agent]';
  return keysAt([]).includes(key) ? `"${key}" belongs above the first [table], or is one of its own` : undefined;
}

function wordsOf(issue: Issue, got: unknown): string {
  if (issue.code === 'invalid_type') return `must be ${article(issue.expected)}, not ${kindOf(got)}`;
  if (issue.code === 'invalid_value') return `must be ${oneOf(issue.values)}`;
  if (issue.code === 'too_small') return `must ${bound(issue.origin, 'at least', issue.minimum)}`;
  if (issue.code === 'too_big') return `must ${bound(issue.origin, 'at most', issue.maximum)}`;
  return issue.message;
}

function bound(origin: string, most: string, limit: number | bigint): string {
  if (origin === 'string' && limit === 1) return 'not be empty';
  if (origin === 'string') return `have ${most} ${limit} characters`;
  if (origin === 'array') return `have ${most} ${limit} ${limit === 1 ? 'entry' : 'entries'}`;
  return `be ${most} ${limit}`;
}

/** What is meant by a value that is nearly right, by the field that has it. */
function hintOfPath(path: readonly PropertyKey[], got: unknown): string | undefined {
  const field = String(path.at(-1));
  if (field === 'version' && got === '1') return 'write it without quotes: version = 1';
  const isNumber = typeof got === 'number' || (typeof got === 'string' && /^\d+$/.test(got));
  if (isNumber && SIZES.includes(field)) return `write it in quotes, with its unit: ${field} = "${got}MiB"`;
  if (isNumber && field === 'bandwidth') return `write it in quotes, with its unit: ${field} = "${got}KiB"`;
  if (isNumber && DURATIONS.includes(field)) return `write it in quotes, with its unit: ${field} = "${got}m"`;
  if (field === 'agent' && typeof got === 'string' && /\/|\.toml$/.test(got))
    return `a template of your own goes into a list: extends = [${JSON.stringify(got)}]`;
  return undefined;
}

const SIZES = ['memory', 'disk'];
const DURATIONS = ['idle'];

function hintFor(issue: Issue, got: unknown): string {
  if (issue.code === 'custom' && typeof issue.params?.['hint'] === 'string') return issue.params['hint'];
  if (issue.code === 'invalid_value') {
    const values = issue.values.map(String);
    const guess = nearest(String(got), values);
    return guess === undefined || typeof got !== 'string' ? `write ${oneOf(issue.values)}` : `did you mean "${guess}"?`;
  }
  if (issue.code === 'invalid_type') return rightForm(issue, got);
  if (issue.code === 'too_small' || issue.code === 'too_big')
    return 'change the value, or remove it to use the default';
  return 'see docs/reference.md for the valid values';
}

/** Shows the value rewritten in the expected form. */
function rightForm({ expected, path }: z.core.$ZodIssueInvalidType, got: unknown): string {
  const plain = typeof got === 'string' || typeof got === 'number' || typeof got === 'boolean';
  const header = pathOf(path.filter((key) => typeof key !== 'number'));
  const isEntry = typeof path.at(-1) === 'number';
  if (isTableListAt(path)) return `write [[${header}]] above each entry`;
  if (expected === 'object' || expected === 'record')
    return isEntry ? `write the fields of each entry below [[${header}]]` : `write its fields below one [${header}]`;
  if (expected === 'string' && plain) return `put it in quotes: "${got}"`;
  if (expected === 'array' && plain) return `put it in brackets: [${JSON.stringify(got)}]`;
  if (typeof got === 'string' && (expected === 'number' || expected === 'int' || expected === 'boolean'))
    return 'write it without quotes';
  return `write ${article(expected)}`;
}

const KINDS: Record<string, string> = {
  string: 'text in quotes',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a table',
  record: 'a table',
};

function article(expected: string): string {
  return KINDS[expected] ?? expected;
}

function kindOf(value: unknown): string {
  if (typeof value === 'number' && !Number.isInteger(value)) return 'a fraction';
  return Array.isArray(value) ? 'a list' : typeof value === 'string' ? 'text' : article(typeof value);
}

function oneOf(values: readonly unknown[]): string {
  const words = values.map((one) => JSON.stringify(one));
  return words.length === 1 ? `${words[0]}` : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

function show(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((node, key) => (node as Record<PropertyKey, unknown> | undefined)?.[key], value);
}
