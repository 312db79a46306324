/** Reads a secret: one line typed on a terminal without echo, or all of stdin. */
import { SbxError } from '../../errors.ts';

const INPUT_MAX = 64 * 1024;

export async function readHidden(process: NodeJS.Process, prompt: string): Promise<string> {
  const { stdin, stderr } = process;
  if (stdin.isTTY) return typed(stdin, stderr, prompt);
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of stdin) {
    size += (part as Buffer).length;
    if (size > INPUT_MAX)
      throw new SbxError('usage', 'the input is too long for a secret', {
        why: 'a secret is one line of at most 16 KiB',
        hint: 'pipe only the secret',
      });
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts)
    .toString('utf8')
    .replace(/\r?\n$/, '');
}

/** @throws SbxError `cancelled` on Ctrl-C, Ctrl-D, or the end of the terminal. */
function typed(stdin: NodeJS.ReadStream, stderr: NodeJS.WriteStream, prompt: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let line = '';
    // Before the prompt: an answer that is already typed is not echoed either.
    stdin.setRawMode(true);
    stderr.write(prompt);
    stdin.setEncoding('utf8');
    const finish = (error?: SbxError) => {
      stdin.off('data', onData).off('end', onEnd);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write('\n');
      if (error === undefined) resolve(line);
      else reject(error);
    };
    const onEnd = () => finish(new SbxError('cancelled', 'cancelled: no secret was set'));
    const onData = (text: string) => {
      for (const char of text) {
        if (char === '\r' || char === '\n') return finish();
        if (char === '\u0003' || char === '\u0004') return onEnd();
        if (char === '\u007f' || char === '\b') line = [...line].slice(0, -1).join('');
        else if (char === '\u0015') line = '';
        else line += char;
      }
    };
    stdin.on('data', onData).on('end', onEnd);
    stdin.resume();
  });
}
