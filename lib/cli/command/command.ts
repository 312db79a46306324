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
  /** Stricli's own description of the flags and positional arguments */
  parameters?: Record<string, unknown>;
  /** Imports the code of the command: a start loads that of its own command only */
  load: () => Promise<Execute<F, A>>;
}

const COMMON = {
  json: { kind: 'boolean', brief: 'Machine-readable output', default: false },
  project: { kind: 'parsed', parse: String, brief: 'Folder of the project instead of the current one', optional: true },
};

export function command<F, A extends readonly unknown[]>({
  brief,
  parameters = {},
  load,
}: Definition<F, A>): Command<CommandContext> {
  const flags = { ...COMMON, ...((parameters['flags'] as object | undefined) ?? {}) };
  const builder = { docs: { brief }, parameters: { ...parameters, flags }, loader: async () => framed(await load()) };
  return buildCommand(builder as never) as unknown as Command<CommandContext>;
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
