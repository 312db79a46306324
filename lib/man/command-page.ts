/** The manual page of one command. */
import type { DescribedCommand } from '../cli/command/command.ts';
import { bold, entry, inline, italic, literal, type Part, renderPage, verbatim } from './roff.ts';

interface Flag {
  kind: 'boolean' | 'parsed' | 'enum' | 'counter';
  brief: string;
  placeholder?: string;
  default?: unknown;
}

interface Positional {
  brief: string;
  placeholder: string;
}

interface Parameters {
  flags?: Record<string, Flag>;
  aliases?: Record<string, string>;
  positional?: { kind: 'array'; parameter: Positional } | { kind: 'tuple'; parameters: Positional[] };
}

/** @param words the command without `sbx`: `net log` */
export function commandPage(words: string, command: DescribedCommand, version: string): string {
  const parameters = command.parameters as unknown as Parameters;
  const parts: Part[] = [
    { title: 'SYNOPSIS', lines: synopsis(words, command.usage) },
    { title: 'DESCRIPTION', lines: [inline(`${command.brief}.`)] },
    { title: 'ARGUMENTS', lines: argumentsOf(parameters).flatMap(argument) },
    { title: 'OPTIONS', lines: options(parameters) },
    { title: 'EXAMPLES', lines: command.examples.length === 0 ? [] : verbatim(command.examples) },
    { title: 'SEE ALSO', lines: [`${bold('sbx')}(1), ${bold('sandbox.toml')}(5)`] },
  ];
  return renderPage({
    name: pageName(words),
    section: 1,
    brief: command.brief,
    version,
    parts: parts.filter(({ lines }) => lines.length > 0),
  });
}

export function pageName(words: string): string {
  return `sbx-${words.replaceAll(' ', '-')}`;
}

function synopsis(words: string, usage: readonly string[]): string[] {
  return usage.flatMap((line, index) => [
    ...(index === 0 ? [] : ['.br']),
    `${bold(`sbx ${words}`)} ${literal(['[OPTIONS]', line].join(' ').trimEnd())}`,
  ]);
}

function argumentsOf({ positional }: Parameters): Positional[] {
  if (positional === undefined) return [];
  return positional.kind === 'array' ? [positional.parameter] : positional.parameters;
}

function argument({ placeholder, brief }: Positional): string[] {
  return entry(italic(placeholder.toUpperCase()), `${brief}.`);
}

function options({ flags = {}, aliases = {} }: Parameters): string[] {
  const short = new Map(Object.entries(aliases).map(([letter, name]) => [name, letter]));
  const own = Object.entries(flags).flatMap(([name, flag]) => {
    const letter = short.get(name);
    const long = `${bold(`--${kebab(name)}`)}${placeOf(flag)}`;
    return entry(letter === undefined ? long : `${bold(`-${letter}`)}, ${long}`, meaning(flag));
  });
  return [...own, ...entry(`${bold('-h')}, ${bold('--help')}`, 'Shows the help of this command.')];
}

function placeOf({ kind, placeholder }: Flag): string {
  return kind === 'boolean' ? '' : ` ${italic((placeholder ?? 'value').toUpperCase())}`;
}

function meaning({ kind, brief, default: preset }: Flag): string {
  return `${brief}${kind === 'boolean' || preset === undefined ? '' : `; default: ${String(preset)}`}.`;
}

function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
