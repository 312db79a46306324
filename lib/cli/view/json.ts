/** One JSON document, or a line for each event. Errors are documents as well. */
import type { View } from './types.ts';

export function createJsonView(process: NodeJS.Process): View {
  const silent = { update: () => {}, note: () => {}, done: () => {}, fail: () => {} };
  return {
    json: true,
    result: (value) => void process.stdout.write(`${JSON.stringify(value)}\n`),
    line: (value) => void process.stdout.write(`${JSON.stringify(value)}\n`),
    progress: () => silent,
    error: (error) => void process.stdout.write(`${JSON.stringify({ error })}\n`),
    confirm: async () => undefined,
  };
}
