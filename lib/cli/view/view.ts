/** Creates the view of a command. */
import { createHumanView } from './human.ts';
import type { View } from './types.ts';

/** Loads the spinner's library for a terminal only: most starts by scripts and agents do not need it. */
export async function createView(json: boolean, process: NodeJS.Process): Promise<View> {
  if (json) return createJsonView(process);
  if (!process.stderr.isTTY) return createHumanView(process);
  const { default: ora } = await import('ora');
  return createHumanView(process, (text) => ora({ text, stream: process.stderr, discardStdin: false }).start());
}

/** One document, or a line for each event; errors are documents as well. */
function createJsonView(process: NodeJS.Process): View {
  const silent = { update: () => {}, note: () => {}, done: () => {}, fail: () => {} };
  const write = (value: unknown) => void process.stdout.write(`${jsonLine(value)}\n`);
  return {
    json: true,
    result: write,
    line: write,
    progress: () => silent,
    loud: (text) => text,
    error: (error) => write({ error }),
    asks: false,
    confirm: async () => undefined,
  };
}

/** Escapes every character that can control a terminal: JSON itself escapes only some of them. */
function jsonLine(value: unknown): string {
  return (JSON.stringify(value) ?? 'null').replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (found) =>
    found
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}
