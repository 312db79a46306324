/** Shows a text in the place of the last one, on a terminal that can. */
import { drawsProgress } from './drawing.ts';
import { printable } from './printable.ts';

/** The terminal MUST NOT scroll or wrap: the lines that are drawn are those that are cleared later. */
export function createRedraw({ stdout, env }: Pick<NodeJS.Process, 'stdout' | 'env'>) {
  let drawn = 0;
  return (_value: unknown, text: string): void => {
    if (!drawsProgress(stdout, env)) return void stdout.write(`${stdout.isTTY ? printable(text) : text}\n`);
    const lines = printable(text)
      .split('\n')
      .slice(0, Math.max(1, stdout.rows - 1))
      .map((line) => line.slice(0, stdout.columns - 1));
    stdout.write(`${drawn === 0 ? '' : `\x1b[${drawn}A`}\x1b[J${lines.join('\n')}\n`);
    drawn = lines.length;
  };
}
