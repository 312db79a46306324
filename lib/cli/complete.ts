/** What may follow on a command line, for the shells' completion. It answers from what runs: nothing is started for it. */
import { type CommandContext, proposeCompletions } from '@stricli/core';
import { wholeApp } from './app.ts';
import type { SbxContext } from './command/context.ts';

/** `words`: what was typed behind `sbx`, the last one perhaps not to its end. */
export async function complete(context: SbxContext, words: readonly string[]): Promise<string[]> {
  const last = words.at(-1) ?? '';
  // What stands behind `--` is a command of the sandbox.
  if (words.slice(0, -1).includes('--')) return [];
  const asked = last === '--' ? [...words.slice(0, -1), '-'] : words;
  const found = await proposeCompletions(await wholeApp(), asked, context as unknown as CommandContext);
  const names = [...new Set(found.map(({ completion }) => completion))];
  // Flags only for who begins one.
  return names.filter((name) => name.startsWith(last) && (last !== '' || !name.startsWith('-')));
}
