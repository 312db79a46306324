/** Creates the view of a command. */
import { createHumanView } from './human.ts';
import { createJsonView } from './json.ts';
import type { View } from './types.ts';

/** Loads the spinner's library for a terminal only: most starts by scripts and agents do not need it. */
export async function createView(json: boolean, process: NodeJS.Process): Promise<View> {
  if (json) return createJsonView(process);
  if (!process.stderr.isTTY) return createHumanView(process);
  const { default: ora } = await import('ora');
  return createHumanView(process, (text) => ora({ text, stream: process.stderr, discardStdin: false }).start());
}
