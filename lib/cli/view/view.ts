/** Which view a command gets. */
import { createHumanView } from './human.ts';
import { createJsonView } from './json.ts';
import type { View } from './types.ts';

/** The spinner's library is loaded for a terminal only: other starts do not pay for it. */
export async function createView(json: boolean, process: NodeJS.Process): Promise<View> {
  if (json) return createJsonView(process);
  if (!process.stderr.isTTY) return createHumanView(process);
  const { default: ora } = await import('ora');
  return createHumanView(process, (text) => ora({ text, stream: process.stderr, discardStdin: false }).start());
}
