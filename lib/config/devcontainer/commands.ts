/** What the commands of a devcontainer.json install, and what of them needs the workspace. Pure. */
import { packageName } from '../schema/fields.ts';

export interface Commands {
  apt: string[];
  npm: string[];
  /** Shell lines that run in the workspace of a sandbox: the image is built without it */
  later: string[];
}

const UPDATE = /^(?:sudo )?apt(?:-get)? (?:-\S+ )*update(?: -\S+)*$/;
const APT = /^(?:sudo )?apt(?:-get)? (?:-\S+ )*install (.+)$/;
const NPM = /^(?:sudo )?npm (?:install|i) (?:-g|--global) (.+)$/;
/** A line with such characters is left to a shell. */
const SHELL = /["'`$\\|;<>(){}#*?~!\n]|&(?!&)(?<!&&)/;

/** `value`: a shell line, a list of arguments, or an object of them. Undefined for anything else. */
export function commandsOf(value: unknown): Commands | undefined {
  const lines = linesOf(value);
  if (lines === undefined) return undefined;
  const parts = lines.flatMap((line) => (SHELL.test(line) ? [line] : line.split('&&')).map((part) => part.trim()));
  const commands: Commands = { apt: [], npm: [], later: [] };
  for (const part of parts.filter((one) => one !== '' && !UPDATE.test(one))) sort(part, commands);
  return commands;
}

function sort(part: string, { apt, npm, later }: Commands): void {
  const [list, words] = APT.test(part) ? [apt, APT.exec(part)?.[1]] : [npm, NPM.exec(part)?.[1]];
  const named = (words ?? '').split(/\s+/).filter((word) => !/^(-y|--yes|--no-install-recommends|-q|-qq)$/.test(word));
  if (SHELL.test(part) || words === undefined || !named.every((word) => packageName.safeParse(word).success))
    later.push(part);
  else list.push(...named);
}

function linesOf(value: unknown): string[] | undefined {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) return value.every(isText) ? [value.map(quoted).join(' ')] : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  const lines = Object.values(value).map(linesOf);
  return lines.every((one) => one !== undefined) ? lines.flat() : undefined;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

/** One word of a shell line */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
