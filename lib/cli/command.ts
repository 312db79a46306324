/** The frame of every command: common flags, errors in three lines or as JSON, exit codes. */
import { buildCommand, type Command, type CommandContext } from '@stricli/core';
import { SbxError, toErrorJson } from '../errors.ts';
import type { SbxContext } from './context.ts';
import type { View } from './view/types.ts';
import { createView } from './view/view.ts';

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
            cwd: flags.project ?? this.process.cwd(),
          })) ?? 0;
      } catch (error) {
        view.error(toErrorJson(error));
        this.process.exitCode = error instanceof SbxError ? (error.code === 'cancelled' ? 130 : error.exitCode) : 1;
        if (!(error instanceof SbxError) && this.process.env['SBX_DEBUG'])
          this.process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
      }
    },
  };
  return buildCommand(builder as never) as unknown as Command<CommandContext>;
}

/** Many names after the flags. */
export const names = (brief: string) => ({ kind: 'array', parameter: { parse: String, brief, placeholder: 'name' } });

export const one = (brief: string, placeholder: string, optional = false) => ({
  kind: 'tuple',
  parameters: [{ parse: String, brief, placeholder, ...(optional ? { optional: true } : {}) }],
});
