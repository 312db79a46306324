/** Says what to write instead where a key of a TOML text is defined twice. Pure. */
import { type AST, parseTOML } from 'toml-eslint-parser';
import { pathOf } from '../../spec/path-of.ts';
import { isTableListAt } from '../schema/keys.ts';

export interface Redefinition {
  /** `network.http` */
  path: string;
  why: string;
  hint: string;
}

interface Definition {
  keys: (string | number)[];
  form: 'value' | 'table' | 'list';
  /** Its first line */
  text: string;
  /** From 1 */
  line: number;
}

/** Longest part of a line that is shown, in characters */
const SHOWN = 80;

/** `line`: of the second definition, from 1. Undefined: the first one was not found */
export function redefinitionAt(text: string, line: number): Redefinition | undefined {
  const lines = text.split('\n');
  const before = definitionsOf(lines.slice(0, line - 1).join('\n')) ?? [];
  const own = lines[line - 1] ?? '';
  // A value may continue on the next line: its key is enough.
  const again = (definitionsOf(own) ?? definitionsOf(own.replace(/=.*/s, '= 0')))?.[0];
  if (again === undefined) return undefined;
  if (again.form === 'value') again.keys.unshift(...openTable(before));
  const first =
    before.find(({ keys }) => pathOf(keys) === pathOf(again.keys)) ?? before.find((one) => isInTheWay(one, again));
  if (first === undefined) return undefined;
  const why = `line ${first.line} has ${first.text.trim().slice(0, SHOWN)}`;
  const keys = first.keys.length < again.keys.length ? first.keys : again.keys;
  return { path: pathOf(keys), why, hint: hintFor(keys, [first, again]) };
}

/** A value has nothing below it, and what has something below it is no value. */
function isInTheWay(first: Definition, again: Definition): boolean {
  const [shorter, longer] = first.keys.length < again.keys.length ? [first, again] : [again, first];
  return shorter.form !== 'table' && shorter.keys.every((key, at) => key === longer.keys[at]);
}

function hintFor(keys: readonly PropertyKey[], both: [Definition, Definition]): string {
  const path = pathOf(keys);
  if (isTableListAt(keys)) return `${path} is a list of tables: write [[${path}]] above each entry, and nothing else`;
  const values = both.filter(({ keys: own, form }) => form === 'value' && own.length === keys.length);
  if (values.length === 2) return `define ${path} once: remove one of the two lines`;
  if (values[0] === undefined) return `write [${path}] once, with all of its fields below it`;
  const template = /^\s*agent\s*=\s*("[^"]*"|'[^']*')/.exec(values[0].text)?.[1];
  if (keys.at(-1) === 'agent' && template !== undefined)
    return `write extends = [${template}] instead of agent = ${template}: the fields of [${path}] change that template`;
  return `${path} is a table: write all of its fields below one [${path}]`;
}

/** The table to which a key at the end of a text belongs; a list has the index of its entry. */
function openTable(definitions: Definition[]): Definition['keys'] {
  const header = definitions.findLast(({ form }) => form !== 'value');
  if (header?.form !== 'list') return header?.keys ?? [];
  const entries = definitions.filter(({ form, keys }) => form === 'list' && pathOf(keys) === pathOf(header.keys));
  return [...header.keys, entries.length - 1];
}

/** Undefined: not TOML */
function definitionsOf(text: string): Definition[] | undefined {
  const lines = text.split('\n');
  const define = (node: AST.TOMLNode, keys: Definition['keys'], form: Definition['form']): Definition => {
    const { line } = node.loc.start;
    return { keys, form, line, text: lines[line - 1] ?? '' };
  };
  try {
    return parseTOML(text, { tomlVersion: '1.0' }).body[0].body.flatMap((node) => {
      const pairs = node.type === 'TOMLKeyValue' ? [node] : node.body;
      const base = node.type === 'TOMLKeyValue' ? [] : node.resolvedKey;
      const values = pairs.map((pair) => define(pair, [...base, ...namesOf(pair.key)], 'value'));
      if (node.type === 'TOMLKeyValue') return values;
      if (node.kind === 'standard') return [define(node, [...base], 'table'), ...values];
      return [define(node, base.slice(0, -1), 'list'), ...values];
    });
  } catch {
    return undefined;
  }
}

function namesOf({ keys }: AST.TOMLKey): string[] {
  return keys.map((key) => (key.type === 'TOMLBare' ? key.name : key.value));
}
