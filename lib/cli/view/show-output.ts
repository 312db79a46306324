/** Shows the output of a command inside: its bytes unchanged, or with `--json` a line `{stream, data}` for each piece. */
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { View } from './types.ts';

interface Output {
  from: Readable;
  to: Writable;
  name: 'stdout' | 'stderr';
  view: View;
}

/** Resolves when all output was passed on. */
export async function showOutput(output: Output): Promise<void> {
  const { from, to, view } = output;
  if (view.json) return events(output);
  from.pipe(to, { end: false });
  if (!from.readableEnded) await once(from, 'end');
}

/** Decodes UTF-8: invalid bytes become U+FFFD, and a character split between two pieces comes with the second. */
async function events({ from, name, view }: Output): Promise<void> {
  const decoder = new StringDecoder('utf8');
  const show = async (data: string) => {
    if (data === '') return;
    view.line({ stream: name, data }, data);
    if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain');
  };
  for await (const chunk of from) await show(decoder.write(chunk as Buffer));
  await show(decoder.end());
}
