/** The frame of every command: common flags, errors in three lines or as JSON, exit codes. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { buildCommand, type Command, type CommandContext } from '@stricli/core';
import { SbxError } from '../../errors.ts';
import type { View } from '../view/types.ts';
import { createView } from '../view/view.ts';
import type { SbxContext } from './context.ts';
import { describeError } from './error-hints.ts';
import { exitCodeOf } from './exit-code.ts';

interface CommonFlags {
  json: boolean;
  project?: string;
}

/** What a command is called with. */
export interface Run<F = object, A extends readonly unknown[] = []> {
  context: SbxContext;
  flags: F & CommonFlags;
  args: A;
  view: View;
  /** The folder that counts as the current one */
  cwd: string;
}

/** Resolves to the exit code. */
type Execute<F, A extends readonly unknown[]> = (input: Run<F, A>) => Promise<number>;

interface Definition<F, A extends readonly unknown[]> {
  brief: string;
  /** What follows the command's words; default: as its parameters say */
  usage?: readonly string[];
  /** Whole command lines */
  examples?: readonly string[];
  /** Stricli's own description of the flags and positional arguments */
  parameters?: Record<string, unknown>;
  /** Imports the code of the command: a start loads that of its own command only */
  load: () => Promise<Execute<F, A>>;
}

const COMMON = {
  json: { kind: 'boolean', brief: 'Machine-readable output', default: false },
  project: {
    kind: 'parsed',
    parse: String,
    brief: 'Folder of the project instead of the current one',
    placeholder: 'dir',
    optional: true,
  },
};

/** A command, with the parts of its help that the parser keeps as text only */
export interface DescribedCommand extends Command<CommandContext> {
  /** What follows `[OPTIONS]`, a line for each way to call it; empty: nothing */
  usage: readonly string[];
  /** Whole command lines */
  examples: readonly string[];
}

export function command<F, A extends readonly unknown[]>({
  brief,
  usage,
  examples = [],
  parameters = {},
  load,
}: Definition<F, A>): DescribedCommand {
  const flags = { ...COMMON, ...((parameters['flags'] as object | undefined) ?? {}) };
  const shown = examples.length === 0 ? '' : `\n\nEXAMPLES\n${examples.map((line) => `  ${line}`).join('\n')}`;
  const lines = usage ?? [usageOf(parameters['positional'] as Positional | undefined)];
  const customUsage = lines.map((line) => `[OPTIONS]${line === '' ? '' : ` ${line}`}`);
  const docs = { brief, fullDescription: `${brief}${shown}`, customUsage };
  const builder = { docs, parameters: { ...parameters, flags }, loader: async () => framed(await load()) };
  const built = buildCommand(builder as never) as unknown as Command<CommandContext>;
  return Object.assign(built, { usage: lines, examples });
}

interface Parameter {
  placeholder: string;
  optional?: boolean;
}

type Positional = { kind: 'array'; parameter: Parameter } | { kind: 'tuple'; parameters: Parameter[] };

/** Names of arguments in capitals: `[NAME…]`, `[NAME]`, `FROM TO`. */
function usageOf(positional: Positional | undefined): string {
  if (positional === undefined) return '';
  if (positional.kind === 'array') return `[${positional.parameter.placeholder.toUpperCase()}…]`;
  return positional.parameters
    .map(({ placeholder, optional }) => (optional ? `[${placeholder.toUpperCase()}]` : placeholder.toUpperCase()))
    .join(' ');
}

function framed<F, A extends readonly unknown[]>(execute: Execute<F, A>) {
  return async function (this: SbxContext, flags: F & CommonFlags, ...words: unknown[]): Promise<void> {
    const { process } = this;
    const view = await createView(flags.json, process);
    try {
      const cwd = folderOf(currentFolder(process), flags.project);
      process.exitCode = await execute({ context: this, flags, args: words as unknown as A, view, cwd });
    } catch (error) {
      view.error(describeError(error));
      process.exitCode = exitCodeOf(error, process.argv[2]);
      if (!(error instanceof SbxError) && process.env['SBX_DEBUG'])
        process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    }
  };
}

/** @throws SbxError `usage`: the folder was removed. */
function currentFolder(process: NodeJS.Process): string {
  try {
    return process.cwd();
  } catch (cause) {
    throw new SbxError('usage', 'the current folder does not exist', {
      why: 'it was removed after this shell entered it',
      hint: 'change to an existing folder',
      cause,
    });
  }
}

function folderOf(cwd: string, project: string | undefined): string {
  if (project === undefined) return cwd;
  const dir = resolve(cwd, project);
  const found = statSync(dir, { throwIfNoEntry: false });
  if (found?.isDirectory()) return dir;
  throw new SbxError('usage', `invalid project folder: ${project}`, {
    why: found === undefined ? `${dir} does not exist` : `${dir} is not a folder`,
    hint: 'name the folder of a sandbox.toml with --project',
  });
}
