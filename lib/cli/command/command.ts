/** The frame of every command: common flags, errors in three lines or as JSON, exit codes. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { buildCommand, type Command, type CommandContext } from '@stricli/core';
import { SbxError } from '../../errors.ts';
import type { View } from '../view/types.ts';
import { createView } from '../view/view.ts';
import type { SbxContext } from './context.ts';
import { describeError } from './error-hints.ts';

export interface CommonFlags {
  json: boolean;
  project?: string;
}

export interface Run<F, A extends readonly unknown[]> {
  context: SbxContext;
  flags: F & CommonFlags;
  args: A;
  view: View;
  /** The folder that counts as the current one */
  cwd: string;
}

interface Definition<F, A extends readonly unknown[]> {
  brief: string;
  /** Stricli's own description of the flags and positional arguments */
  parameters: Record<string, unknown>;
  run: (input: Run<F, A>) => Promise<number | undefined>;
}

const COMMON = {
  json: { kind: 'boolean', brief: 'Machine-readable output', default: false },
  project: { kind: 'parsed', parse: String, brief: 'Folder of the project instead of the current one', optional: true },
};

export function command<F = object, A extends readonly unknown[] = []>(
  definition: Definition<F, A>,
): Command<CommandContext> {
  const parameters = {
    ...definition.parameters,
    flags: { ...COMMON, ...((definition.parameters['flags'] as object | undefined) ?? {}) },
  };
  const builder = {
    docs: { brief: definition.brief },
    parameters,
    async func(this: SbxContext, flags: F & CommonFlags, ...args: unknown[]) {
      const view = await createView(flags.json, this.process);
      try {
        this.process.exitCode =
          (await definition.run({
            context: this,
            flags,
            args: args as unknown as A,
            view,
            cwd: folderOf(currentFolder(this.process), flags.project),
          })) ?? 0;
      } catch (error) {
        view.error(describeError(error));
        this.process.exitCode = error instanceof SbxError ? (error.code === 'cancelled' ? 130 : error.exitCode) : 1;
        if (!(error instanceof SbxError) && this.process.env['SBX_DEBUG'])
          this.process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
      }
    },
  };
  return buildCommand(builder as never) as unknown as Command<CommandContext>;
}

/** @throws SbxError `usage`: somebody has removed it. */
function currentFolder(process: NodeJS.Process): string {
  try {
    return process.cwd();
  } catch (cause) {
    throw new SbxError('usage', 'the current folder is gone', {
      why: 'it was removed while you were in it',
      hint: 'go to a folder that exists',
      cause,
    });
  }
}

function folderOf(cwd: string, project: string | undefined): string {
  if (project === undefined) return cwd;
  const dir = resolve(cwd, project);
  if (statSync(dir, { throwIfNoEntry: false })?.isDirectory()) return dir;
  throw new SbxError('usage', '--project names no folder', {
    why: `${dir} is ${statSync(dir, { throwIfNoEntry: false }) === undefined ? 'not there' : 'a file'}`,
    hint: 'name the folder that sandbox.toml stands in',
  });
}

/** Many sandboxes after the flags. */
export const names = (brief: string) => ({ kind: 'array', parameter: sandbox(brief) });

/** At most one sandbox. */
export const maybeName = () => ({ kind: 'tuple', parameters: [{ ...sandbox('The sandbox'), optional: true }] });

/** Exactly one word that is no sandbox's name. */
export const word = (brief: string, placeholder: string) => ({
  kind: 'tuple',
  parameters: [{ parse: String, brief, placeholder }],
});

/** A parameter that names a sandbox; shells complete it. */
export const sandbox = (brief: string, placeholder = 'name') => ({
  parse: String,
  brief,
  placeholder,
  proposeCompletions(this: SbxContext, partial: string) {
    return import('./sandbox-names.ts').then(({ sandboxNames }) => sandboxNames(this, partial));
  },
});

/** @throws for the command line's own message. */
export function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new TypeError('it must be a count, such as 20');
  return Number(text);
}
