/** Finds and reads the devcontainer.json of a project: JSON with comments and trailing commas. */
import { join } from 'node:path';
import { type ParseError, parse, printParseErrorCode } from 'jsonc-parser';
import { SbxError } from '../../errors.ts';
import { readInside } from './read-inside.ts';

const FILES = ['.devcontainer/devcontainer.json', '.devcontainer.json'];

export interface DevcontainerFile {
  /** Relative to the project */
  file: string;
  /** A Map: a file may contain the key `__proto__` */
  fields: Map<string, unknown>;
}

/** @throws SbxError `usage` without such a file; `config-syntax` with its place. */
export async function readDevcontainer(dir: string): Promise<DevcontainerFile> {
  for (const file of FILES) {
    const text = await readInside(dir, file);
    if (text !== undefined) return { file, fields: fieldsOf(parseJson(text, join(dir, file)), join(dir, file)) };
  }
  throw new SbxError('usage', 'there is no devcontainer.json here', {
    why: `neither ${FILES.join(' nor ')} exists in ${dir}`,
    hint: 'copy the one that you mean to .devcontainer/devcontainer.json, or run `sbx init` without --from-devcontainer',
  });
}

/** `file`: for errors. */
export function parseJson(text: string, file: string): unknown {
  const errors: ParseError[] = [];
  const value = parsed(text, file, errors);
  const [first] = errors;
  if (first === undefined) return value;
  const before = text.slice(0, first.offset).split('\n');
  throw new SbxError('config-syntax', `invalid JSON: ${printParseErrorCode(first.error)}`, {
    place: { file, line: before.length, column: (before.at(-1) ?? '').length + 1 },
    hint: 'fix the file; comments and trailing commas are valid',
  });
}

/** The parser recurses: a file of brackets would overflow the stack. */
function parsed(text: string, file: string, errors: ParseError[]): unknown {
  try {
    return parse(text.replace(/^\uFEFF/, ''), errors, { allowTrailingComma: true });
  } catch (cause) {
    throw new SbxError('config-syntax', 'the file is nested too deeply', {
      place: { file, line: 1, column: 1 },
      hint: 'remove some levels',
      cause,
    });
  }
}

function fieldsOf(value: unknown, file: string): Map<string, unknown> {
  const fields = objectOf(value);
  if (fields !== undefined) return fields;
  throw new SbxError('config-invalid', 'devcontainer.json must be an object', {
    place: { file, line: 1, column: 1 },
    hint: 'write { "image": "debian:bookworm" }',
  });
}

/** The entries of a JSON object; undefined for anything else. */
export function objectOf(value: unknown): Map<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return new Map(Object.entries(value));
}
