/** Creates the view of a command. */
import { drawsProgress, showsColours } from './drawing.ts';
import { createHumanView } from './human.ts';
import { SILENT, type View } from './types.ts';

/** Loads the spinner's library only where it draws: most starts by scripts and agents do not need it. */
export async function createView(json: boolean, process: NodeJS.Process): Promise<View> {
  if (json) return createJsonView(process);
  const { stderr, env } = process;
  if (!drawsProgress(stderr, env)) return createHumanView(process);
  const { default: ora } = await import('ora');
  const colour = showsColours(stderr, env) ? {} : { color: false as const };
  // Decided above: ora's own check would also be of `CI=false`.
  return createHumanView(process, (text) =>
    ora({ text, stream: stderr, discardStdin: false, isEnabled: true, ...colour }).start(),
  );
}

/** One document, or a line for each event; errors are documents as well. */
function createJsonView(process: NodeJS.Process): View {
  const write = (value: unknown) => void process.stdout.write(`${jsonLine(value)}\n`);
  return {
    json: true,
    result: write,
    line: write,
    redraw: write,
    progress: () => SILENT,
    meter: () => SILENT,
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
