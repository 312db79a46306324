/** Completes a command line for the shells, without starting the daemon. */
import { type CommandContext, proposeCompletions } from '@stricli/core';
import { app } from './app.ts';
import type { SbxContext } from './command/context.ts';

/** `words`: the typed words after `sbx`; the last one may be incomplete. */
export async function complete(context: SbxContext, words: readonly string[]): Promise<string[]> {
  const last = words.at(-1) ?? '';
  // Words after `--` are a command of the sandbox.
  if (words.slice(0, -1).includes('--')) return [];
  const asked = last === '--' ? [...words.slice(0, -1), '-'] : words;
  const found = await proposeCompletions(app, asked, context as unknown as CommandContext);
  const names = [...new Set(found.map(({ completion }) => completion))];
  // Flags only after a typed hyphen.
  return names.filter((name) => name.startsWith(last) && (last !== '' || !name.startsWith('-')));
}
